/**
 * Bias gradient: dy summed over batch and positions, a channel a workgroup, in two stages where it is long. Likewise the
 * gradient of a prelu's slopes, whose terms have a second factor.
 */
import kernel from "../../../shaders/channel_sum/channel_sum.wgsl";
import type { NoKnobs } from "../../planning/knobs.js";
import { policyOf } from "../../planning/policy.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { elementTypes } from "../shared/constants.js";
import { channelSums, twoStages } from "../passes/reducePartials.js";
import { chooseSplitK } from "../shared/splits.js";

export const channelSum: Solver<NoKnobs> = {
  name: "channel-sum",
  directions: ["biasGradient", "slopeGradient"],
  knobs: {},
  configs: () => [{}],
  plan(operation, capabilities) {
    const { masked, problem, direction } = operation;
    const slopes = direction === "slopeGradient";
    const { batch, outChannels, outputPositions } = problem;
    const k = batch * outputPositions;
    const { busyGradientWorkgroups: busy, splitLeastKChannelSum: leastK } = policyOf(capabilities);
    const splitK = chooseSplitK({ tasks: outChannels, busy, elements: outChannels, k, leastK }, capabilities);
    const sums = channelSums(operation, splitK, capabilities);
    const first = dispatch(kernel, {
      constants: { MASKED: masked, HALVES: false, SLOPES: slopes },
      types: elementTypes(operation),
      uniforms: {
        channels: outChannels,
        tasks: splitK * outChannels,
        positions: outputPositions,
        k,
        kPerSplit: Math.ceil(k / splitK),
        strides: problem.outputStrides,
      },
      bindings: { outputGradient: "y", activated: masked || slopes ? "activated" : "unused", partials: sums.target },
      workgroups: foldWorkgroups(splitK * outChannels, capabilities),
    });
    return twoStages(first, sums);
  },
};
