/** Activations on their own, and their gradients: what is not worth fusing into a gather. */
import kernel from "../../../shaders/activation/activation.wgsl";
import { product } from "../../problem/geometry.js";
import type { NoKnobs } from "../../planning/knobs.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { activationConstants, elementTypes } from "../shared/constants.js";
import { slopesOf } from "../shared/gather.js";

const THREADS = 64;

export const elementwise: Solver<NoKnobs> = {
  name: "elementwise",
  directions: ["activation", "activationGradient"],
  knobs: {},
  configs: () => [{}],
  plan(operation, capabilities) {
    const gradient = operation.direction === "activationGradient";
    const { inputShape, inChannels, inputStrides } = operation.problem;
    const elements = product(inputShape);
    const slopes = slopesOf(operation);
    const step = dispatch(kernel, {
      constants: { ...activationConstants(operation), GRADIENT: gradient },
      types: { ...elementTypes(operation), Sum: "f32" },
      uniforms: { elements, channels: inChannels, channelStride: inputStrides[1] },
      bindings: gradient
        ? { source: "y", activated: "activated", slopes, result: "x" }
        : { source: "x", activated: "unused", slopes, result: "y" },
      workgroups: foldWorkgroups(Math.ceil(elements / THREADS), capabilities),
    });
    return { dispatches: [step], scratchBytes: {} };
  },
};
