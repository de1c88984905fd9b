/** Gradients of convolutions, for every rank: they check arguments, make the problem and run calls. */
import type { NumberList } from "../base/list.js";
import { requireOptions } from "../base/optionKeys.js";
import type { TransposedSize } from "../problem/options.js";
import { type ConvProblem, makeProblem, type Rank } from "../problem/problem.js";
import { requireTensor, type Tensor } from "../tensor/tensor.js";
import { slopeGradientOf, throughActivation } from "./activations.js";
import { biasProblem } from "./biasProblem.js";
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
import { ConvGradients } from "./convGradients.js";
import type { MakeProblem } from "./convolutions.js";
import { readBackwardSolvers } from "./backwardSolvers.js";
import {
  type BackwardOptions,
  GRADIENT_OPTIONS,
  type GradientOptions,
  TRANSPOSED_GRADIENT_OPTIONS,
} from "./options.js";

/** Options of the layer that has the bias, transposed or not. */
export type BiasGradientOptions = GradientOptions & TransposedSize;

export function inputGradient(
  run: Run,
  rank: Rank,
  dy: Tensor,
  w: Tensor,
  inputShape: NumberList,
  options: GradientOptions,
  make: MakeProblem = makeProblem,
): Tensor {
  requireTensor("w", w);
  requireOptions(options, GRADIENT_OPTIONS);
  const problem = make(rank, inputShape, w.shape, options);
  return throughActivation(run, dy, resultOf(problem), options, (operands) => {
    return runOne(run, gradientCall("inputGradient", problem, { ...operands, w }, options));
  });
}

export function weightGradient(
  run: Run,
  rank: Rank,
  dy: Tensor,
  x: Tensor,
  weightShape: NumberList,
  options: GradientOptions,
  make: MakeProblem = makeProblem,
): Tensor {
  requireTensor("x", x);
  requireOptions(options, GRADIENT_OPTIONS);
  const problem = make(rank, x.shape, weightShape, options);
  return throughActivation(run, dy, resultOf(problem), options, (operands) => {
    return runOne(run, gradientCall("weightGradient", problem, { ...operands, x }, options));
  });
}

export function biasGradient(run: Run, rank: Rank, dy: Tensor, options: BiasGradientOptions): Tensor {
  requireTensor("dy", dy);
  requireOptions(options, TRANSPOSED_GRADIENT_OPTIONS);
  const problem = biasProblem(rank, dy.shape, options);
  return throughActivation(run, dy, { ...resultOf(problem), shape: dy.shape }, options, (operands) => {
    return runOne(run, gradientCall("biasGradient", problem, operands, options));
  });
}

/** All gradients of a layer. */
export function backward(
  run: Run,
  rank: Rank,
  dy: Tensor,
  x: Tensor,
  w: Tensor,
  options: BackwardOptions,
): ConvGradients {
  requireTensor("x", x);
  requireTensor("w", w);
  requireOptions(options, GRADIENT_OPTIONS);
  const { solver, ...shared } = options;
  const solvers = readBackwardSolvers(solver);
  const problem = makeProblem(rank, x.shape, w.shape, shared);
  return throughActivation(run, dy, resultOf(problem), shared, (operands) => {
    const input = runOne(run, gradientCall("inputGradient", problem, { ...operands, w }, { solver: solvers.input }));
    try {
      const both = weightAndBiasGradientCall(problem, { ...operands, x }, { solver: solvers.weight });
      const [weight, bias] = run(both);
      const slope = isPrelu(shared.activation)
        ? slopeGradientOf(run, dy, problem.outputShape, shared, problem.batched)
        : undefined;
      return new ConvGradients(input, weight, bias, slope);
    } catch (error) {
      input.dispose();
      throw error;
    }
  });
}

const isPrelu = (activation: GradientOptions["activation"]): boolean =>
  typeof activation === "object" && activation.name === "prelu";

/** The layer's result, whose gradient dy is. */
const resultOf = ({ outputShape, batched }: ConvProblem) => ({ shape: outputShape, batched, mayFuse: true });

/** What callers call the operands of a gradient. */
const GRADIENT_NAMES = { x: "x", w: "w", y: "dy", activated: "output" };

/** A gradient of a convolution. Where `activated` is among the operands, kernels mask dy by it while they read dy. */
function gradientCall(
  direction: "inputGradient" | "weightGradient" | "biasGradient",
  problem: ConvProblem,
  operands: RoleTensors & { readonly y: Tensor },
  options: SolverOption,
): Call {
  const masked = operands.activated !== undefined;
  const plain = plainOperation(direction, problem, valuesOf(operands.y, "dy"));
  const operation = { ...plain, masked, pixels: operands.x?.pixels };
  return makeCall(operation, operands, GRADIENT_NAMES, options);
}

/** The weight gradient with the bias gradient computed inside it. */
function weightAndBiasGradientCall(
  problem: ConvProblem,
  operands: RoleTensors & { readonly y: Tensor },
  options: SolverOption,
): Call {
  const call = gradientCall("weightGradient", problem, operands, options);
  return { ...call, operation: { ...call.operation, bias: true } };
}
