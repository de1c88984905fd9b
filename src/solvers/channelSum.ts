/** Bias gradient: dy summed over batch and positions, a channel a workgroup, in two stages where it is long. */
import kernel from "../../shaders/channel_sum.wgsl";
import { dispatch, foldWorkgroups, type Solver } from "../solver.js";
import { isMasked } from "./gather.js";
import { tensorStrides } from "./layout.js";
import { chooseSplits, partialSums, twoStagePlan } from "./partials.js";

/** Terms below which a split is not worth its partial. */
const LEAST_DEPTH = 4096;

export const channelSum: Solver = {
  name: "channel-sum",
  directions: ["biasGradient"],
  configs: () => [{}],
  plan(operation, capabilities) {
    const { batch, outChannels, outputPositions } = operation.problem;
    const depth = batch * outputPositions;
    const splits = chooseSplits(
      { tasks: outChannels, elements: outChannels, depth, leastDepth: LEAST_DEPTH },
      capabilities,
    );
    const sums = partialSums({ splits, rows: outChannels, columns: 1, bias: false, result: "bias" }, capabilities);
    const first = dispatch(kernel, {
      constants: { MASKED: isMasked(operation) },
      uniforms: {
        channels: outChannels,
        tasks: splits * outChannels,
        positions: outputPositions,
        depth,
        depthPerSplit: Math.ceil(depth / splits),
        strides: tensorStrides(outChannels, outputPositions),
      },
      bindings: { outputGradient: "y", activated: isMasked(operation) ? "activated" : "unused", partials: sums.target },
      workgroups: foldWorkgroups(splits * outChannels, capabilities),
    });
    return twoStagePlan("channel-sum", {}, first, sums);
  },
};
