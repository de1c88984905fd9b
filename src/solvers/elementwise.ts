/** Activations on their own, and their gradients: what is not worth fusing into a gather. */
import kernel from "../../shaders/activation.wgsl";
import { product } from "../geometry.js";
import { dispatch, foldWorkgroups, type Solver } from "../solver.js";
import { activationConstants, elementTypes } from "./constants.js";

const THREADS = 64;

export const elementwise: Solver = {
  name: "elementwise",
  directions: ["activation", "activationGradient"],
  configs: () => [{}],
  plan(operation, capabilities) {
    const gradient = operation.direction === "activationGradient";
    const elements = product(operation.problem.inputShape);
    const step = dispatch(kernel, {
      constants: { ...activationConstants(operation), GRADIENT: gradient },
      types: elementTypes(operation),
      uniforms: { elements },
      bindings: gradient
        ? { source: "y", activated: "activated", result: "x" }
        : { source: "x", activated: "unused", result: "y" },
      workgroups: foldWorkgroups(Math.ceil(elements / THREADS), capabilities),
    });
    return { solver: "elementwise", config: {}, dispatches: [step], scratchBytes: {} };
  },
};
