/** Which positions of a network's value a convolution or an activation means, whose problem has it in another shape. */
import { product } from "../../problem/geometry.js";
import type { Layout } from "../../problem/layout.js";
import { type ConvOperation, resultRoles, shapeOfRole } from "../../problem/operation.js";

export interface Places {
  /** Of what it reads. */
  readonly input: readonly number[];
  readonly result: readonly number[];
  /** Whether a window slides over what it reads; otherwise each position is computed from the same one. */
  readonly slides: boolean;
}

/** @param known shape of the value that it reads */
export function placesOf(operation: ConvOperation, known: readonly number[], layout: Layout): Places {
  const { direction, problem } = operation;
  if (direction === "activation") {
    return { input: isByElement(operation, known, layout) ? known : problem.inputShape, result: known, slides: false };
  }
  const vectors = product(known.slice(0, -1));
  const isLinear =
    direction === "forward" &&
    layout === "channels-last" &&
    problem.layout === layout &&
    problem.rank === 1 &&
    product(problem.kernel) === 1 &&
    problem.groups === 1 &&
    problem.input[2] === vectors &&
    problem.output[2] === vectors &&
    problem.batch === 1 &&
    problem.inChannels === known[known.length - 1];
  if (isLinear) {
    return { input: known, result: [...known.slice(0, -1), problem.outChannels], slides: false };
  }
  const [role] = resultRoles(operation);
  return {
    input: direction === "inputGradient" ? problem.outputShape : problem.inputShape,
    result: shapeOfRole(operation, role),
    slides: true,
  };
}

/** Whether an activation's channels, where they have slopes of their own, are the value's. */
function isByElement({ problem }: ConvOperation, known: readonly number[], layout: Layout): boolean {
  if (product(problem.inputShape) !== product(known)) return false;
  if (problem.inChannels === 1) return true;
  const positions = product(problem.input);
  return layout === "channels-first"
    ? problem.inChannels === known[1] && positions === product(known.slice(2))
    : problem.inChannels === known[known.length - 1] && positions === 1;
}
