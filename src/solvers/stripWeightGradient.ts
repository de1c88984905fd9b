/** Strips of a line, for few channels a group (depthwise layers): weight gradient. */
import kernel from "../../shaders/strip_weight_gradient.wgsl";
import type { ConvOperation } from "../operation.js";
import { dispatch, foldWorkgroups, type Solver, type SolverConfig } from "../solver.js";
import { elementTypes, unsharedRefusal } from "./constants.js";
import {
  gradientBindings,
  gradientConstants,
  gradientUniforms,
  splitLines,
  twoStagePlan,
  weightSums,
} from "./partials.js";

const THREADS = 64;
const CANDIDATES: readonly SolverConfig[] = [{ columns: 8 }, { columns: 4 }, { columns: 2 }];
/** Multiply-adds that are written out: more than this fill instruction caches, and take long to compile. */
const MOST_WRITTEN_OUT = 256;
/** Sums that a thread can hold. */
const MOST_TAPS = 64;
/** With more, tiles of several output channels use each source more often. */
const MOST_CHANNELS = 4;

function refusal({ problem }: ConvOperation, { columns }: SolverConfig): string | undefined {
  const { taps, kernel: extent, stride, dilation } = problem;
  if (!(Number.isInteger(columns) && columns >= 1)) return `columns is ${String(columns)}; expected a positive integer`;
  if (taps > MOST_TAPS) return `a filter has ${String(taps)} taps; a thread holds at most ${String(MOST_TAPS)}`;
  const span = (columns - 1) * stride[2] + (extent[2] - 1) * dilation[2] + 1;
  const written = Math.max(taps * columns, span * extent[0] * extent[1]);
  if (columns > 1 && written > MOST_WRITTEN_OUT) {
    return `strips of ${String(columns)} write out ${String(written)} steps; at most ${String(MOST_WRITTEN_OUT)}`;
  }
  return undefined;
}

export const stripWeightGradient: Solver = {
  name: "strip",
  directions: ["weightGradient"],

  configs(operation) {
    const fitting = CANDIDATES.filter((config) => refusal(operation, config) === undefined);
    return fitting.length > 0 ? fitting : [{ columns: 1 }];
  },

  discouraged({ problem }) {
    const { inChannelsPerGroup, outChannelsPerGroup } = problem;
    const most = Math.max(inChannelsPerGroup, outChannelsPerGroup);
    return most > MOST_CHANNELS ? `${String(most)} channels a group do better in tiles` : undefined;
  },

  plan(operation, capabilities, config) {
    const refused = unsharedRefusal(operation.problem) ?? refusal(operation, config);
    if (refused !== undefined) return { refused };
    const { columns } = config;
    const { problem } = operation;
    const { outChannels, inChannelsPerGroup, output } = problem;
    const pairs = outChannels * inChannelsPerGroup;
    const split = splitLines(operation, { threads: pairs, threadsPerTask: THREADS }, capabilities);
    const sums = weightSums(operation, split.splits, capabilities);
    const first = dispatch(kernel, {
      constants: { ...gradientConstants(operation), RANK: problem.rank, COLUMNS: columns },
      types: elementTypes(operation),
      uniforms: {
        ...gradientUniforms(operation),
        columnBlocks: Math.ceil(output[2] / columns),
        ...split,
        strips: split.splits * pairs,
      },
      bindings: { ...gradientBindings(operation), partials: sums.target },
      workgroups: foldWorkgroups(Math.ceil((split.splits * pairs) / THREADS), capabilities),
    });
    return twoStagePlan("strip", config, first, sums);
  },
};
