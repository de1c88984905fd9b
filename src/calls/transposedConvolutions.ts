/** Transposed convolutions and their gradients, for every rank: passes of the convolution that they transpose. */
import type { NumberList } from "../base/list.js";
import { requireOptions } from "../base/optionKeys.js";
import type { ConvProblem, Rank } from "../problem/problem.js";
import { makeTransposedProblem } from "../problem/transposed.js";
import { requireTensor, type Tensor } from "../tensor/tensor.js";
import { throughActivation } from "./activations.js";
import {
  type Call,
  makeCall,
  plainOperation,
  type RoleTensors,
  type Run,
  runOne,
  type SolverOption,
  valuesOf,
} from "./calls.js";
import { FORWARD_NAMES, readEpilogue } from "./epilogue.js";
import {
  TRANSPOSED_GRADIENT_OPTIONS,
  TRANSPOSED_OPTIONS,
  type TransposedForwardOptions,
  type TransposedGradientOptions,
} from "./options.js";

export function transposedConvolution(
  run: Run,
  rank: Rank,
  x: Tensor,
  w: Tensor,
  options: TransposedForwardOptions,
): Tensor {
  requireTensor("x", x);
  requireTensor("w", w);
  requireOptions(options, TRANSPOSED_OPTIONS);
  const problem = makeTransposedProblem(rank, x.shape, w.shape, options);
  const { operands, fused } = readEpilogue(problem.inputShape, problem.inChannels, options);
  const operation = { ...plainOperation("inputGradient", problem, valuesOf(x, "x")), ...fused };
  return runOne(run, makeCall(operation, { y: x, w, ...operands }, { ...FORWARD_NAMES, y: "x" }, options));
}

export function transposedInputGradient(
  run: Run,
  rank: Rank,
  dy: Tensor,
  w: Tensor,
  inputShape: NumberList,
  options: TransposedGradientOptions,
): Tensor {
  requireTensor("w", w);
  requireOptions(options, TRANSPOSED_GRADIENT_OPTIONS);
  const problem = makeTransposedProblem(rank, inputShape, w.shape, options);
  return throughActivation(run, dy, resultOf(problem), options, ({ y }) => {
    return runOne(run, gradientCall("forward", problem, { x: y, w }, options));
  });
}

export function transposedWeightGradient(
  run: Run,
  rank: Rank,
  dy: Tensor,
  x: Tensor,
  weightShape: NumberList,
  options: TransposedGradientOptions,
): Tensor {
  requireTensor("x", x);
  requireOptions(options, TRANSPOSED_GRADIENT_OPTIONS);
  const problem = makeTransposedProblem(rank, x.shape, weightShape, options);
  return throughActivation(run, dy, resultOf(problem), options, ({ y }) => {
    return runOne(run, gradientCall("weightGradient", problem, { y: x, x: y }, options));
  });
}

/** The layer's result, whose gradient dy is. It has the shape of the convolution's input. */
const resultOf = ({ inputShape, batched }: ConvProblem) => ({ shape: inputShape, batched, mayFuse: false });

/** What callers call the operands of a gradient. */
const GRADIENT_NAMES = { x: "dy", w: "w", y: "x" };

/** A gradient: the forward pass, or the weight gradient, of the convolution behind it. */
function gradientCall(
  direction: "forward" | "weightGradient",
  problem: ConvProblem,
  operands: RoleTensors & { readonly x: Tensor },
  options: SolverOption,
): Call {
  const operation = plainOperation(direction, problem, valuesOf(operands.x, "dy"));
  return makeCall(operation, operands, GRADIENT_NAMES, options);
}
