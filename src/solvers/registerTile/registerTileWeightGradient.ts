/** Register-tiled weight gradient without workgroup memory. Takes every problem. */
import kernel from "../../../shaders/register_tile/register_tile_weight_gradient.wgsl";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { policyOf } from "../../planning/policy.js";
import type { Capabilities } from "../../planning/capabilities.js";
import { BATCH_BLOCKS, BLOCK_TERMS, inRegisters, stepsPerBlock } from "../shared/blocks.js";
import {
  dealtThreads,
  elementTypes,
  registerTileRefusal,
  shareRefusal,
  tileSizeRefusal,
  unsharedRefusal,
} from "../shared/constants.js";
import {
  gradientBindings,
  gradientConstants,
  gradientMatrix,
  gradientUniforms,
  twoStages,
  weightSums,
} from "../passes/reducePartials.js";
import { chooseSplits, dealOut } from "../shared/splits.js";

/** The product is of M rows (output channels) by N columns (weights of a filter), over K output positions. */
export interface RegisterTileGradientConfig {
  /** Threads of a workgroup, at most; all of them along columns. */
  readonly threads: number;
  /** Rows that a thread computes. More use each source more often, and take registers. */
  readonly rows: number;
  /** Columns that a thread computes. More use each gradient more often, and take registers. */
  readonly columns: number;
  /** Lanes of a subgroup that share the gradients they load, a power of two; 1, none, when absent. */
  readonly shared?: number;
}

const TILES: readonly RegisterTileGradientConfig[] = [
  { threads: 64, rows: 8, columns: 8, shared: 1 },
  { threads: 64, rows: 8, columns: 4, shared: 1 },
  { threads: 64, rows: 4, columns: 4, shared: 1 },
  { threads: 64, rows: 2, columns: 4, shared: 1 },
  { threads: 64, rows: 1, columns: 4, shared: 1 },
];

/** Where lanes share gradients: positions are written out, so the tile is smaller. */
const SHARED_TILE = { threads: 64, rows: 8, columns: 4 };
/** Positions whose gradients the lanes of a subgroup may share. */
const MOST_SHARED = 4;
/** Positions beyond the end of a line that a share may waste, as a part of it. */
const MOST_WASTE = 0.1;
/** Shorter lines than this leave too little to do between two shares. */
const SHORTEST_SHARED_LINE = 12;

/** Positions that lanes share: the most that a subgroup surely has lanes for and that fit a line well. */
function sharedPositions(width: number, { subgroupLanes }: Capabilities): number {
  if (width < SHORTEST_SHARED_LINE) return 1;
  let shared = MOST_SHARED;
  const waste = (): number => (shared * Math.ceil(width / shared)) / width - 1;
  while (shared > 1 && (shared > subgroupLanes || waste() > MOST_WASTE)) shared /= 2;
  return shared;
}

export const registerTileWeightGradient: Solver<RegisterTileGradientConfig> = {
  name: "register-tile",
  directions: ["weightGradient"],
  knobs: { threads: true, rows: true, columns: true, shared: false },

  configs({ problem }, capabilities) {
    const shared = sharedPositions(problem.output[2], capabilities);
    const tiles = shared > 1 ? [{ ...SHARED_TILE, shared }, ...TILES] : TILES;
    return tiles.filter(({ rows }) => rows < 2 * problem.outChannelsPerGroup);
  },

  plan(operation, capabilities, config) {
    const { threads, rows, columns, shared = 1 } = config;
    const refused =
      unsharedRefusal(operation.problem) ??
      registerTileRefusal(config, capabilities) ??
      shareRefusal({ threads, shared }, capabilities) ??
      tileSizeRefusal(rows * columns, rows * columns * shared);
    if (refused !== undefined) return { refused };
    const { problem } = operation;
    const matrix = gradientMatrix(operation);
    const rowBlocks = Math.ceil(problem.outChannelsPerGroup / rows);
    // Lanes that share loads must all be there.
    const workgroupThreads = dealtThreads(Math.ceil(matrix.columns / columns), threads, shared);
    const columnBlocks = Math.ceil(matrix.columns / (workgroupThreads * columns));
    const tasksPerSplit = problem.groups * rowBlocks * columnBlocks;

    const width = problem.output[2];
    // Positions are walked without a division, and longer rows than a block cut.
    const segmentsPerRow = Math.ceil(width / BLOCK_TERMS);
    const segmentLength = Math.ceil(width / segmentsPerRow);
    const segments = problem.batch * problem.output[0] * problem.output[1] * segmentsPerRow;
    const segmentsPerBlock = stepsPerBlock(segmentLength);
    const { busyGradientWorkgroups: busy, splitLeastKGradient } = policyOf(capabilities);
    const leastDepth = Math.max(1, Math.ceil(splitLeastKGradient / segmentLength));
    const wanted = chooseSplits(
      {
        tasks: tasksPerSplit,
        busy,
        elements: matrix.elements,
        depth: segments,
        leastDepth,
        mostDepth: BATCH_BLOCKS * segmentsPerBlock,
      },
      capabilities,
    );
    const { perSplit: segmentsPerSplit, splits } = dealOut(segments, wanted);

    const sums = weightSums(operation, splits, capabilities);
    const tasks = splits * tasksPerSplit;
    const first = dispatch(kernel, {
      constants: {
        ...gradientConstants(operation),
        RANK: 3,
        THREADS: workgroupThreads,
        ROWS: rows,
        COLUMNS: columns,
        SHARED: shared,
        SUBGROUPS: shared > 1,
        BLOCKED: segmentsPerSplit > segmentsPerBlock,
        IN_REGISTERS: inRegisters(rows * columns, capabilities),
      },
      types: elementTypes(operation),
      uniforms: {
        ...gradientUniforms(operation),
        columnBlocks,
        rowBlocks,
        tasks,
        segments,
        segmentsPerRow,
        segmentLength,
        segmentsPerSplit,
        segmentsPerBlock,
      },
      bindings: { ...gradientBindings(operation), partials: sums.target },
      workgroups: foldWorkgroups(tasks, capabilities),
      multiplyAdds:
        tasksPerSplit * workgroupThreads * rows * columns * segments * shared * Math.ceil(segmentLength / shared),
    });
    return twoStages(first, sums);
  },
};
