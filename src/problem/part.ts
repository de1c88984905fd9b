/** The problem of a part of a convolution. */
import { joinActivation, joinWeight, orderName, type WeightLayout } from "./layout.js";
import { type ConvProblem, makeProblem } from "./problem.js";
import { makeUnsharedProblem } from "./unshared.js";

/** How many a part has of what is counted. */
export interface PartCounts {
  readonly batch: number;
  readonly groups: number;
  readonly inChannelsPerGroup: number;
  readonly outChannelsPerGroup: number;
}

/**
 * The convolution with this input and padding, and all else as it was.
 *
 * @param counts of a batch; a sample without N, with all channels, when absent
 * @throws ArgumentError where there is no such convolution.
 */
export function partProblem(
  problem: ConvProblem,
  extents: readonly number[],
  padding: readonly (readonly [number, number])[],
  counts?: PartCounts,
): ConvProblem {
  const { rank, layout, paddingMode, weightOrder, kernel, weightPositionStride } = problem;
  const { batch, groups, inChannelsPerGroup, outChannelsPerGroup } = counts ?? { ...problem, batch: 1 };
  const own = <Value>(triple: readonly Value[]): readonly Value[] => triple.slice(3 - rank);
  const input = { batch, channels: groups * inChannelsPerGroup, spatial: extents };
  const weight = { out: groups * outChannelsPerGroup, in: inChannelsPerGroup, spatial: own(kernel) };
  const options = {
    stride: own(problem.stride),
    dilation: own(problem.dilation),
    padding,
    groups,
    paddingMode,
    layout,
  };
  const inputShape = joinActivation(input, layout).slice(counts ? 0 : 1);
  const weightLayout = orderName(weightOrder, rank) as WeightLayout;
  const part = makeProblem(rank, inputShape, joinWeight(weight, weightOrder), { ...options, weightLayout });
  if (weightPositionStride === 0) return part;
  return makeUnsharedProblem(rank, inputShape, [...own(part.output), ...part.weightShape], options);
}
