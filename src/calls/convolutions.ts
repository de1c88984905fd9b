/** Convolutions forward, for every rank: arguments checked, problem made, call run. */
import { requireOptions } from "../base/optionKeys.js";
import { makeProblem, type Rank } from "../problem/problem.js";
import { requireTensor, type Tensor } from "../tensor/tensor.js";
import { makeCall, plainOperation, type Run, runOne, valuesOf } from "./calls.js";
import { FORWARD_NAMES, readEpilogue } from "./epilogue.js";
import { FORWARD_OPTIONS, type ForwardOptions } from "./options.js";

/** Makes the problem of a call: shared filters, or a filter for each output position. */
export type MakeProblem = typeof makeProblem;

export function convolution(
  run: Run,
  rank: Rank,
  x: Tensor,
  w: Tensor,
  options: ForwardOptions,
  make: MakeProblem = makeProblem,
): Tensor {
  requireTensor("x", x);
  requireTensor("w", w);
  requireOptions(options, FORWARD_OPTIONS);
  const problem = make(rank, x.shape, w.shape, options);
  const { operands, fused } = readEpilogue(problem.outputShape, problem.outChannels, options);
  const values = x.pixels ? valuesOf(w, "w") : valuesOf(x, "x");
  const operation = { ...plainOperation("forward", problem, values), ...fused, pixels: x.pixels };
  return runOne(run, makeCall(operation, { x, w, ...operands }, FORWARD_NAMES, options));
}
