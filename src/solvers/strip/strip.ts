/** Strips of a line, for few channels a group (depthwise layers): forward pass, and input gradient at stride 1. */
import kernel from "../../../shaders/strip/strip.wgsl";
import type { ConvOperation } from "../../problem/operation.js";
import { policyOf } from "../../planning/policy.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { borderDispatches } from "../passes/borderInputGradient.js";
import { cutWalk } from "../shared/blocks.js";
import {
  countRefusal,
  dealtEvenly,
  gatherTypes,
  tapConstants,
  unsharedRefusal,
  preferring,
  vectorResults,
  wholeWorkgroups,
} from "../shared/constants.js";
import { blocksOf, resultSums } from "../passes/sumSplits.js";
import { laneCost } from "../shared/laneCost.js";
import { describeFlipped, describeGather, liesInVectors } from "../shared/gather.js";

export interface StripConfig {
  /** Result channels that a thread computes. More use each source more often, and take registers. */
  readonly rows: number;
  /** Neighbouring results of a line that a thread computes. More share the sources under their filters. */
  readonly columns: number;
}

const THREADS = 64;
const COLUMNS = [8, 4, 2];
const MOST_ROWS = [8, 4, 2, 1];
/** Sources of a strip are registers, and each row of the filter is written out. */
const LONGEST_SPAN = 64;
const MOST_WRITTEN_OUT = 256;
/** Sums that a thread holds well in registers. */
const MOST_SUMS = 32;

/** Threads of a pass: one a strip. */
function threadsOf(operation: ConvOperation, { rows, columns }: StripConfig): number {
  const { resultSize, resultChannels } = describeGather(operation).uniforms;
  const { batch, groups } = operation.problem;
  const lines = resultSize[0] * resultSize[1];
  return batch * groups * Math.ceil(resultChannels / rows) * lines * Math.ceil(resultSize[2] / columns);
}

function spanOf({ problem }: ConvOperation, columns: number): number {
  return (columns - 1) * problem.stride[2] + (problem.kernel[2] - 1) * problem.dilation[2] + 1;
}

/** From long to short, each with the result channels of a group dealt out evenly. */
function candidates(operation: ConvOperation): StripConfig[] {
  const { resultChannels } = describeGather(operation);
  const even = dealtEvenly(resultChannels, MOST_ROWS);
  const all = COLUMNS.flatMap((columns) => even.map((rows) => ({ rows, columns })));
  return all.filter((config) => {
    return config.rows * config.columns <= MOST_SUMS && refusal(operation, config) === undefined;
  });
}

function refusal(operation: ConvOperation, config: StripConfig): string | undefined {
  const { problem, direction } = operation;
  const { rows, columns } = config;
  const none = countRefusal({ rows, columns });
  if (none !== undefined) return none;
  const written = rows * columns * problem.kernel[2];
  if (rows * columns > 1 && written > MOST_WRITTEN_OUT) {
    return `strips of ${String(rows)} x ${String(columns)} write out ${String(written)} steps; at most ${String(MOST_WRITTEN_OUT)}`;
  }
  if (direction === "inputGradient" && problem.stride.some((s) => s !== 1)) {
    return `stride is ${problem.stride.slice(-problem.rank).join("x")}; strips take input gradients at stride 1`;
  }
  const span = spanOf(operation, columns);
  return span > LONGEST_SPAN ? `a strip spans ${String(span)} sources; at most ${String(LONGEST_SPAN)}` : undefined;
}

export const strip: Solver<StripConfig> = {
  name: "strip",
  directions: ["forward", "inputGradient"],
  knobs: { rows: true, columns: true },

  configs(operation, capabilities) {
    const fitting = candidates(operation);
    if (fitting.length === 0) return [{ rows: 1, columns: 1 }];
    const { busyThreads, loadCost } = policyOf(capabilities);
    if (loadCost === undefined) return preferring(fitting, (config) => threadsOf(operation, config) >= busyThreads);
    const [, , taps] = operation.problem.kernel;
    const costOf = (config: StripConfig): number => {
      const { rows, columns } = config;
      const sizes = { multiplyAdds: rows * columns, loads: rows + spanOf(operation, columns) / taps };
      return laneCost({ workgroups: 1, threads: threadsOf(operation, config), ...sizes }, loadCost, capabilities);
    };
    return fitting.sort((one, other) => costOf(one) - costOf(other));
  },

  discouraged(operation, capabilities) {
    if (operation.pixels) return "it reads no pixels, and others do";
    const { resultChannels, columns, depth } = describeGather(operation);
    const policy = policyOf(capabilities);
    const isPointwise = operation.problem.kernel[2] === 1;
    // So few positions leave most lanes of a tile idle; strips fill them with channels.
    if (columns <= (isPointwise ? policy.stripFewPointwise : policy.stripFewPositions)) return undefined;
    // Tiles of positions use each weight more often.
    if (resultChannels > policy.stripMostChannels)
      return `${String(resultChannels)} result channels a group do better in tiles`;
    if (isPointwise) return "with one tap a row there is nothing to use twice";
    const [config] = strip.configs(operation, capabilities);
    const threads = threadsOf(operation, config);
    return threads < policy.stripFewestThreads && depth >= policy.stripLongK
      ? `${String(threads)} threads would each sum ${String(depth)} terms: tiles whose sums are split keep a GPU busy`
      : undefined;
  },

  plan(operation, capabilities, config) {
    const refused = unsharedRefusal(operation.problem) ?? refusal(operation, config);
    if (refused !== undefined) return { refused };
    const { rows, columns } = config;
    const { problem } = operation;
    const gather = describeGather(operation);
    const flipped = describeFlipped(operation, gather);
    const { resultSize, resultChannels, sourceChannels } = gather.uniforms;
    const stripsPerSplit = threadsOf(operation, config);
    const [depth, height, termsPerChannel] = problem.kernel;
    const walk = cutWalk({ channels: sourceChannels, visits: depth * height, termsPerChannel, splits: 1 });
    const sums = resultSums(operation, gather, blocksOf(stripsPerSplit, walk, rows * columns), 1, capabilities);
    const strips = sums.splits * stripsPerSplit;
    const vectors = vectorResults(sums.types.Result, columns % 4 === 0 && liesInVectors(gather, resultSize[2]));
    const step = dispatch(kernel, {
      constants: {
        ...tapConstants(problem),
        ...flipped.constants,
        RANK: problem.rank,
        ROWS: rows,
        COLUMNS: columns,
        ...sums.constants,
        ...vectors.constants,
      },
      types: { ...gatherTypes(operation), ...vectors.types },
      uniforms: {
        ...flipped.uniforms,
        sourceChannels,
        columnBlocks: Math.ceil(resultSize[2] / columns),
        rowBlocks: Math.ceil(resultChannels / rows),
        stripsPerSplit,
        strips,
        ...walk,
        blocksPerSplit: sums.perSplit,
        resultElements: sums.resultElements,
      },
      bindings: { ...gather.bindings, ...sums.bindings },
      workgroups: foldWorkgroups(Math.ceil(strips / THREADS), capabilities),
      multiplyAdds: wholeWorkgroups(stripsPerSplit, THREADS) * rows * columns * gather.depth,
    });
    const dispatches = [step, ...sums.reduction, ...borderDispatches(operation, capabilities)];
    return { dispatches, scratchBytes: sums.scratchBytes };
  },
};
