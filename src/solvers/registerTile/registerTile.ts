/** Register-tiled convolution without workgroup memory: forward pass and input gradient of any problem. */
import kernel from "../../../shaders/register_tile/register_tile.wgsl";
import { policyOf } from "../../planning/policy.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { borderDispatches } from "../passes/borderInputGradient.js";
import { cutWalk } from "../shared/blocks.js";
import {
  dealtThreads,
  elementTypes,
  preferring,
  registerTileRefusal,
  unsharedRefusal,
  vectorResults,
} from "../shared/constants.js";
import { laneCost } from "../shared/laneCost.js";
import { pixelConstants, pixelUniforms, sourceTypes } from "../shared/pixels.js";
import { describeGather, meanDepth, phaseUniforms } from "../shared/gather.js";
import { blocksOf, resultSplits, resultSplitsRefusal, resultSums } from "../passes/sumSplits.js";

/** The product is of M rows (result channels) by N columns (positions), over K terms. */
export interface RegisterTileConfig {
  /** Threads of a workgroup, at most; all of them along columns. */
  readonly threads: number;
  /** Rows that a thread computes. More use each source more often, and take registers. */
  readonly rows: number;
  /** Columns that a thread computes. More use each weight more often, and take registers. */
  readonly columns: number;
  /** Workgroups that share a sum (split K); as many as the device wants when absent. */
  readonly splits?: number;
}

const TILES: readonly RegisterTileConfig[] = [
  { threads: 64, rows: 8, columns: 8 },
  { threads: 64, rows: 8, columns: 4 },
  { threads: 64, rows: 4, columns: 4 },
  { threads: 64, rows: 2, columns: 4 },
  { threads: 64, rows: 1, columns: 4 },
];

export const registerTile: Solver<RegisterTileConfig> = {
  name: "register-tile",
  directions: ["forward", "inputGradient"],
  readsPixels: true,
  knobs: { threads: true, rows: true, columns: true, splits: false },

  configs(operation, capabilities) {
    const { columns, phaseCount, resultChannels } = describeGather(operation);
    const fitting = TILES.filter(({ rows }) => rows < 2 * resultChannels);
    const rowsOf = ({ rows }: RegisterTileConfig): number =>
      phaseCount * operation.problem.groups * Math.ceil(resultChannels / rows);
    const threadsOf = (tile: RegisterTileConfig): number => Math.ceil(columns / tile.columns);
    const { busyThreads, loadCost } = policyOf(capabilities);
    if (loadCost === undefined) return preferring(fitting, (tile) => rowsOf(tile) * threadsOf(tile) >= busyThreads);
    const costOf = (tile: RegisterTileConfig): number => {
      const sizes = { multiplyAdds: tile.rows * tile.columns, loads: tile.rows + tile.columns };
      return laneCost({ workgroups: rowsOf(tile), threads: threadsOf(tile), ...sizes }, loadCost, capabilities);
    };
    return [...fitting].sort((one, other) => costOf(one) - costOf(other));
  },

  plan(operation, capabilities, config) {
    const unable = unsharedRefusal(operation.problem) ?? registerTileRefusal(config, capabilities);
    if (unable !== undefined) return { refused: unable };
    const { threads, rows, columns } = config;
    const gather = describeGather(operation);
    const rowBlocks = Math.ceil(gather.resultChannels / rows);
    const workgroupThreads = dealtThreads(Math.ceil(gather.columns / columns), threads);
    const columnBlocks = Math.ceil(gather.columns / (workgroupThreads * columns));
    const tasksPerSplit = gather.phaseCount * operation.problem.groups * rowBlocks * columnBlocks;
    const { depth, sourceChannels: channels } = gather;
    const { splits = resultSplits(operation, { tasks: tasksPerSplit, depth }, capabilities) } = config;
    const refused = resultSplitsRefusal(operation, splits, capabilities);
    if (refused !== undefined) return { refused };
    const walk = cutWalk({ channels, visits: depth / channels, splits });
    const sums = resultSums(operation, gather, blocksOf(tasksPerSplit, walk, rows * columns), splits, capabilities);
    const tasks = sums.splits * tasksPerSplit;
    const results = vectorResults(sums.types.Result, false);
    const step = dispatch(kernel, {
      constants: {
        ...gather.constants,
        ...pixelConstants(operation),
        THREADS: workgroupThreads,
        ROWS: rows,
        COLUMNS: columns,
        ...sums.constants,
        ...results.constants,
      },
      types: { ...elementTypes(operation), ...sourceTypes(operation), ...results.types },
      uniforms: {
        ...gather.uniforms,
        ...pixelUniforms(operation),
        ...phaseUniforms(gather),
        ...walk,
        blocksPerSplit: sums.perSplit,
        resultElements: sums.resultElements,
        groups: operation.problem.groups,
        rowBlocks,
        columnBlocks,
        tasks,
      },
      bindings: { ...gather.bindings, ...sums.bindings },
      workgroups: foldWorkgroups(tasks, capabilities),
      multiplyAdds: tasksPerSplit * workgroupThreads * rows * columns * meanDepth(operation, gather),
    });
    return {
      dispatches: [step, ...sums.reduction, ...borderDispatches(operation, capabilities)],
      scratchBytes: sums.scratchBytes,
    };
  },
};
