/** Register tiles of vectors: forward pass and input gradient. Sources that lie in no vectors are laid out first (unfold.ts). */
import kernel from "../../../shaders/vector_tile/vector_tile.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { policyOf } from "../../planning/policy.js";
import type { ConvOperation } from "../../problem/operation.js";
import { dispatch, foldWorkgroups, type Solver, type Steps, without } from "../../planning/solver.js";
import { borderDispatches } from "../passes/borderInputGradient.js";
import { cutWalk } from "../shared/blocks.js";
import {
  elementTypes,
  dealtThreads,
  registerTileRefusal,
  shareRefusal,
  tileSizeRefusal,
  unsharedRefusal,
  preferring,
  vectorResults,
} from "../shared/constants.js";
import { liesInVectors, meanDepth, slopesOf } from "../shared/gather.js";
import { blocksOf, resultSums } from "../passes/sumSplits.js";
import { unfoldDispatch, unfoldedBytes } from "./unfold.js";
import { describeVectors, VECTOR, type Vectors } from "./vectors.js";

/** The product is of M rows (result channels) by N columns (positions, in vectors of 4), over K terms. */
export interface VectorTileConfig {
  /** Threads of a workgroup, at most; all of them along columns. */
  readonly threads: number;
  /** Rows that a thread computes. More use each source more often, and take registers. */
  readonly rows: number;
  /** Vectors of 4 columns that a thread computes. More use each weight more often, and take registers. */
  readonly vectors: number;
  /** Lanes of a subgroup that share the weights they load, a power of two; 1 is none. Steps for as many are written out. */
  readonly shared: number;
}

/** Rows and vectors of a tile, from large to small. */
const TILES = [
  { rows: 8, vectors: 2 },
  { rows: 8, vectors: 1 },
  { rows: 4, vectors: 2 },
  { rows: 4, vectors: 1 },
];
const THREADS = 64;
/** Terms whose weights the lanes of a subgroup may share, and what may be multiplied in vain for that. */
const MOST_SHARED = 8;
const MOST_UNEVEN = 1.125;
/** Lanes to one that has something to do. */
const MOST_IDLE = 4;
/** Multiply-adds of vectors that are written out for a step: more than this fill registers and instruction caches. */
const MOST_WRITTEN_OUT = 64;

/** Terms whose weights lanes share: the most that a subgroup surely has lanes for, and that leave few shares uneven. */
function sharedTerms({ terms }: Vectors, { subgroupLanes }: Capabilities): number {
  let shared = MOST_SHARED;
  while (shared > subgroupLanes || shared * Math.ceil(terms / shared) > MOST_UNEVEN * terms) shared /= 2;
  return shared;
}

function refusal(config: VectorTileConfig, capabilities: Capabilities): string | undefined {
  const { threads, rows, vectors: columns, shared } = config;
  return (
    registerTileRefusal({ threads, rows, columns }, capabilities) ??
    shareRefusal(config, capabilities) ??
    tileSizeRefusal(rows * columns * VECTOR, rows * columns * shared)
  );
}

export const vectorTile: Solver<VectorTileConfig> = {
  name: "vector-tile",
  directions: ["forward", "inputGradient"],
  readsPixels: true,
  knobs: { threads: true, rows: true, vectors: true, shared: true },

  configs(operation, capabilities) {
    const described = describeVectors(operation);
    const { gather, columns } = described;
    const { resultChannels, phaseCount } = gather;
    const shared = sharedTerms(described, capabilities);
    const fitting = TILES.filter(({ rows }) => rows < 2 * resultChannels);
    const tiles = fitting.length > 0 ? fitting : TILES.slice(-1);
    const isPreferred = ({ rows, vectors }: (typeof TILES)[number]): boolean => {
      const blocks = phaseCount * operation.problem.groups * Math.ceil(resultChannels / rows);
      const shares = Math.ceil(columns / vectors / shared);
      const fillsLanes = vectors === 1 || shares > 1;
      const enough = blocks * shares * shared >= policyOf(capabilities).busyThreads;
      return fillsLanes && enough && rows * vectors * shared <= MOST_WRITTEN_OUT;
    };
    return preferring(tiles, isPreferred).map((tile) => ({ threads: THREADS, ...tile, shared }));
  },

  discouraged(operation, capabilities) {
    const policy = policyOf(capabilities);
    if (!policy.vectorTilesPay) return `${policy.name} shares sources in workgroup memory better than it lays them out`;
    const vectors = describeVectors(operation);
    const { direct, visits, flat, columns } = vectors;
    const { resultChannels } = vectors.gather;
    const shared = sharedTerms(vectors, capabilities);
    if (shared === 1) {
      return "where lanes cannot share weights, register tiles do as well";
    }
    if (columns * MOST_IDLE < shared) return "too few positions leave most lanes that share weights idle";
    const fewestOfTaps = flat ? policy.unfoldFewestFlat : policy.unfoldFewestChannels;
    if (direct || resultChannels >= (visits === 1 ? policy.unfoldFewestPointwise : fewestOfTaps)) return undefined;
    return `${String(resultChannels)} result channels a group use a source too seldom to lay it out`;
  },

  plan(operation, capabilities, config) {
    const vectors = describeVectors(operation);
    const refused = unsharedRefusal(operation.problem) ?? refusal(config, capabilities);
    if (refused !== undefined) return { refused };
    const unfold = vectors.direct ? [] : [unfoldDispatch(operation, vectors, capabilities)];
    const { dispatches, scratchBytes } = planTiles(operation, vectors, config, capabilities);
    return {
      dispatches: [...unfold, ...dispatches, ...borderDispatches(operation, capabilities)],
      scratchBytes: vectors.direct ? scratchBytes : { unfolded: unfoldedBytes(vectors), ...scratchBytes },
    };
  },
};

function planTiles(
  operation: ConvOperation,
  { gather, columns, rowVectors, visits, direct, flat, terms }: Vectors,
  { threads, rows, vectors, shared }: VectorTileConfig,
  capabilities: Capabilities,
): Steps {
  const { phases, phaseCount, gridSize, gridPositions, resultChannels, constants, uniforms } = gather;
  const { groups } = operation.problem;
  const rowBlocks = Math.ceil(resultChannels / rows);
  // Lanes that share loads must all be there.
  const workgroupThreads = dealtThreads(Math.ceil(columns / vectors), threads, shared);
  const columnBlocks = Math.ceil(columns / (workgroupThreads * vectors));
  const tasksPerSplit = phaseCount * groups * rowBlocks * columnBlocks;
  const walk = cutWalk({ channels: terms, visits: flat ? 1 : visits, unit: shared, splits: 1 });
  const sums = resultSums(operation, gather, blocksOf(tasksPerSplit, walk, VECTOR * rows * vectors), 1, capabilities);
  const tasks = sums.splits * tasksPerSplit;
  const termStride = rowVectors * (direct || flat ? 1 : phaseCount * visits);
  const [rowStride, channelStride, tapStride] = uniforms.weightStrides;
  const types = elementTypes(operation);
  const results = vectorResults(sums.types.Result, phaseCount === 1 && liesInVectors(gather, gridPositions));
  const step = dispatch(kernel, {
    constants: {
      ...without(constants, "SOURCE_STEP_DEPTH", "SOURCE_STEP_HEIGHT", "SOURCE_STEP_WIDTH", "PADDING_MODE"),
      ...(flat ? { KERNEL_DEPTH: 1, KERNEL_HEIGHT: 1, KERNEL_WIDTH: 1 } : {}),
      MASKED: direct && operation.masked,
      THREADS: workgroupThreads,
      ROWS: rows,
      VECTORS: vectors,
      SHARED: shared,
      SUBGROUPS: shared > 1,
      TAIL: terms % shared !== 0,
      ...sums.constants,
      ...results.constants,
    },
    types: { ...types, ...results.types, SourceVector: direct && types.Element === "f16" ? "vec4h" : "vec4f" },
    uniforms: {
      resultSize: uniforms.resultSize,
      padBegin: uniforms.padBegin,
      phases,
      gridSize,
      gridPositions,
      rowVectors,
      columns,
      resultChannels,
      sourceChannels: terms,
      groups,
      columnBlocks,
      rowBlocks,
      tasks,
      sourceStrides: [groups * terms * termStride, terms * termStride, termStride, rowVectors],
      resultStrides: uniforms.resultStrides,
      weightStrides: [rowStride, flat ? tapStride : channelStride, tapStride],
      weightGroupStride: uniforms.weightGroupStride,
      ...walk,
      blocksPerSplit: sums.perSplit,
      resultElements: sums.resultElements,
    },
    bindings: {
      ...gather.bindings,
      source: direct ? gather.bindings.source : "unfolded",
      activated: slopesOf(operation),
      activatedVectors: direct && operation.masked ? "activated" : "unused",
      ...sums.bindings,
    },
    workgroups: foldWorkgroups(tasks, capabilities),
    multiplyAdds:
      tasksPerSplit *
      workgroupThreads *
      rows *
      vectors *
      VECTOR *
      meanDepth(operation, gather) *
      ((shared * Math.ceil(terms / shared)) / terms),
  });
  return { dispatches: [step, ...sums.reduction], scratchBytes: sums.scratchBytes };
}
