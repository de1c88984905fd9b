/** Locally connected layers: problems with a filter for each output position. */
import { require, show } from "../base/errors.js";
import type { NumberList } from "../base/list.js";
import type { Hyperparameters } from "./options.js";
import { type ConvProblem, makeProblem, type Rank } from "./problem.js";
import { readShape, requireSameShape } from "./shapes.js";

const UNSHARED_DIMENSIONS = "[...output, out, in / groups, ...kernel]";

/**
 * A locally connected layer: a convolution with filters of their own at each output position.
 *
 * @param givenWeightShape `[...output, outChannels, inChannels / groups, ...kernel]`
 * @throws ArgumentError naming the rule and the values.
 */
export function makeUnsharedProblem(
  rank: Rank,
  inputShape: NumberList,
  givenWeightShape: NumberList,
  options: Hyperparameters = {},
): ConvProblem {
  require(options.weightLayout === undefined, () => {
    return `weightLayout is ${show(options.weightLayout)}; unshared weights are always ${UNSHARED_DIMENSIONS}`;
  });
  const weightShape = readShape("weight", givenWeightShape, 2 * rank + 2, () => UNSHARED_DIMENSIONS);
  const shared = makeProblem(rank, inputShape, weightShape.slice(rank), options);
  const output = shared.output.slice(3 - rank);
  requireSameShape("weight's leading part", weightShape.slice(0, rank), output, "the output's extents");
  const weightPositionStride = shared.outChannels * shared.inChannelsPerGroup * shared.taps;
  return Object.freeze({
    ...shared,
    weightShape,
    weightPositionStride,
    key: `${shared.key},unshared`,
  });
}
