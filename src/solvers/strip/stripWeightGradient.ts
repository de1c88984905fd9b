/** Strips of a row (strip.ts): weight gradient. */
import kernel from "../../../shaders/strip/strip_weight_gradient.wgsl";
import type { ConvOperation } from "../../problem/operation.js";
import type { ConvProblem } from "../../problem/problem.js";
import { policyOf } from "../../planning/policy.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { BLOCK_TERMS, inRegisters } from "../shared/blocks.js";
import { countRefusal, elementTypes, unsharedRefusal } from "../shared/constants.js";
import { alongChannels } from "../shared/lanes.js";
import {
  gradientBindings,
  gradientConstants,
  gradientUniforms,
  splitSegments,
  twoStages,
  weightSums,
} from "../passes/reducePartials.js";

export interface StripGradientConfig {
  /** Neighbouring gradients of a row that a thread takes at a time. More share the sources of a strip; registers hold both. */
  readonly columns: number;
  /** Rows of a filter, of all its planes, that a thread computes. More use each gradient more often; sums are registers. */
  readonly filterRows: number;
}

const THREADS = 64;
const COLUMNS = [8, 4, 2];
/** Multiply-adds that are unrolled: more than this fill instruction caches, and take long to compile. */
const MOST_UNROLLED = 256;
/** Sums that a thread can hold. */
const MOST_SUMS = 64;

/** Rows of a filter, of all its planes. */
const rowsOf = ({ kernel: extent }: ConvProblem): number => extent[0] * extent[1];

/** Sources that a row of a filter reads for so many columns. */
function spanOf({ kernel: extent, stride, dilation }: ConvProblem, columns: number): number {
  return (columns - 1) * stride[2] + (extent[2] - 1) * dilation[2] + 1;
}

function refusal({ problem }: ConvOperation, { columns, filterRows }: StripGradientConfig): string | undefined {
  const none = countRefusal({ columns, filterRows });
  if (none !== undefined) return none;
  const taps = filterRows * problem.kernel[2];
  if (taps > MOST_SUMS) return `${String(taps)} taps to a thread, which holds at most ${String(MOST_SUMS)}`;
  const unrolled = Math.max(taps * columns, spanOf(problem, columns) * filterRows);
  if (unrolled > MOST_UNROLLED) {
    return `strips of ${String(columns)} unroll ${String(unrolled)} steps; at most ${String(MOST_UNROLLED)}`;
  }
  return undefined;
}

/** For each number of columns the most rows of the filter that a thread can hold. Those that load least come first. */
function candidates(operation: ConvOperation): readonly StripGradientConfig[] {
  const { problem } = operation;
  const able = COLUMNS.flatMap((columns) => {
    for (let filterRows = Math.min(rowsOf(problem), MOST_SUMS); filterRows >= 1; filterRows--) {
      if (refusal(operation, { columns, filterRows }) === undefined) return [{ columns, filterRows }];
    }
    return [];
  });
  const loads = ({ columns, filterRows }: (typeof able)[number]): number =>
    (columns + filterRows * spanOf(problem, columns)) / (columns * filterRows);
  return able.sort((one, other) => loads(one) - loads(other));
}

export const stripWeightGradient: Solver<StripGradientConfig> = {
  name: "strip",
  directions: ["weightGradient"],
  knobs: { columns: true, filterRows: true },

  configs(operation) {
    const able = candidates(operation);
    return able.length > 0 ? able : [{ columns: 1, filterRows: 1 }];
  },

  discouraged({ problem }, capabilities) {
    const { inChannelsPerGroup, outChannelsPerGroup } = problem;
    const policy = policyOf(capabilities);
    // Tiles of several output channels use each source more often; tiles in workgroup memory share input channels.
    const tooMany = Math.max(
      inChannelsPerGroup > policy.stripGradientMostIn ? inChannelsPerGroup : 0,
      outChannelsPerGroup > policy.stripGradientMostOut ? outChannelsPerGroup : 0,
    );
    return tooMany > 0 ? `${String(tooMany)} channels a group do better in tiles` : undefined;
  },

  plan(operation, capabilities, config) {
    const refused = unsharedRefusal(operation.problem) ?? refusal(operation, config);
    if (refused !== undefined) return { refused };
    const { columns, filterRows } = config;
    const { problem } = operation;
    const { outChannels, inChannelsPerGroup } = problem;
    const threads = outChannels * inChannelsPerGroup * Math.ceil(rowsOf(problem) / filterRows);
    const walk = { columns, longest: BLOCK_TERMS, threads, threadsPerTask: THREADS };
    const split = splitSegments(operation, walk, capabilities);
    const sums = weightSums(operation, split.splitK, capabilities);
    const first = dispatch(kernel, {
      constants: {
        ...gradientConstants(operation),
        RANK: problem.rank,
        COLUMNS: columns,
        FILTER_ROWS: filterRows,
        ALONG_CHANNELS: alongChannels(operation, capabilities),
        BLOCKED: split.segmentsPerSplit > split.segmentsPerBlock,
        IN_REGISTERS: inRegisters(filterRows * problem.kernel[2], capabilities),
      },
      types: elementTypes(operation),
      uniforms: {
        ...gradientUniforms(operation),
        ...split,
        threads: split.splitK * threads,
      },
      bindings: { ...gradientBindings(operation), partials: sums.target },
      workgroups: foldWorkgroups(Math.ceil((split.splitK * threads) / THREADS), capabilities),
      multiplyAdds: threads * filterRows * problem.kernel[2] * split.segments * split.columnBlocks * columns,
    });
    return twoStages(first, sums);
  },
};
