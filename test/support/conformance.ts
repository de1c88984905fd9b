/** What every conformance test does with a case: run it as it stands and by each solver, compare it with the reference. */
import { expect } from "vitest";
import {
  type DType,
  type Engine,
  type ForwardOptions,
  type Rank,
  SolverError,
  type Tensor,
  type TransposedSize,
} from "webgpu-conv";
import {
  type Comparison,
  compare,
  errorBound,
  makeProblem,
  makeTransposedProblem,
  type PassDirection,
  type PassOperands,
  referencePass,
} from "webgpu-conv/reference";
import type { Capabilities } from "../../src/planning/capabilities.js";
import { product } from "../../src/problem/geometry.js";
import type { ConvProblem } from "../../src/problem/problem.js";
import { SOLVERS } from "../../src/solvers/list.js";
import { Random, reals } from "./data.js";
import type { HostTensor } from "./layout.js";
import { type Layer, layerShapes } from "./reduceLayer.js";
import { isOwn } from "./turns.js";

/** A forward pass with its expected result. Tensors are laid out as the options say. */
export interface ForwardCase {
  readonly operation: "conv" | "convTranspose";
  readonly rank: Rank;
  readonly dtype: DType;
  readonly input: HostTensor;
  readonly weight: HostTensor;
  readonly bias: HostTensor["data"] | undefined;
  readonly options: Omit<ForwardOptions, "bias"> & TransposedSize;
  readonly expected: HostTensor;
}

/** A case without the result: what its gradients need. */
type LayerCase = Omit<ForwardCase, "bias" | "expected">;

/** Solvers that take any problem: each of them must have run every case. */
const GENERAL_SOLVERS = ["implicit-gemm", "register-tile", "direct"];

/** The convolution of a case; of a transposed one, the convolution whose input gradient it is. */
function problemOf({ operation, rank, input, weight, options }: LayerCase): ConvProblem {
  const make = operation === "conv" ? makeProblem : makeTransposedProblem;
  return make(rank, input.shape, weight.shape, options);
}

/** A forward pass as the reference knows it. */
export interface ReferencePass {
  readonly problem: ConvProblem;
  readonly direction: PassDirection;
  readonly operands: PassOperands;
  readonly resultShape: readonly number[];
}

/** The values as a float32 device has them. */
const toFloat32 = (values: ArrayLike<number>): Float32Array => Float32Array.from(values);

/** The pass that a case is, on operands rounded to float32. */
export function passOfCase(testCase: ForwardCase): ReferencePass {
  const problem = problemOf(testCase);
  const [input, w] = [toFloat32(testCase.input.data), toFloat32(testCase.weight.data)];
  const bias = testCase.bias && toFloat32(testCase.bias);
  return testCase.operation === "conv"
    ? { problem, direction: "forward", operands: { x: input, w, bias }, resultShape: problem.outputShape }
    : { problem, direction: "inputGradient", operands: { dy: input, w, bias }, resultShape: problem.inputShape };
}

/** Runs the case as it stands: its layouts and dtype, and the solver of its options or the engine's choice. */
async function runForward(
  engine: Engine,
  { operation, rank, dtype, input, weight, bias, options }: ForwardCase,
): Promise<Float32Array> {
  using x = engine.tensor(input.data, input.shape, { dtype });
  using w = engine.tensor(weight.data, weight.shape, { dtype });
  using b = bias && engine.tensor(bias, [bias.length], { dtype });
  using y = engine[`${operation}${rank}d`](x, w, b ? { ...options, bias: b } : options);
  return await y.data();
}

/** Sees the result of a case, which solver computed it, and in which of Winograd's tiles, if in any. */
type Check = (actual: Float32Array, solver: string, tile?: 2 | 4) => void;

/** Runs the case as the engine chooses. */
export async function runByChoice(engine: Engine, testCase: ForwardCase, check: Check): Promise<void> {
  expect(passOfCase(testCase).resultShape).toEqual(testCase.expected.shape);
  check(await runForward(engine, testCase), "the engine's choice", tileOf(engine, testCase));
}

/** Runs the case as the engine chooses and by every solver that takes it. */
export async function runByEverySolver(engine: Engine, testCase: ForwardCase, check: Check): Promise<void> {
  await runByChoice(engine, testCase, check);
  const { direction } = passOfCase(testCase);
  const ran: string[] = [];
  for (const { name } of SOLVERS.filter(({ directions }) => directions.includes(direction))) {
    const options = { ...testCase.options, solver: name };
    if (refuses(engine, { ...testCase, options })) continue;
    check(await runForward(engine, { ...testCase, options }), name, tileOf(engine, { ...testCase, options }));
    ran.push(name);
  }
  expect(ran).toEqual(expect.arrayContaining(GENERAL_SOLVERS));
}

function tileOf(engine: Engine, { operation, rank, dtype, input, weight, options }: ForwardCase): 2 | 4 | undefined {
  const shapes = { input: input.shape, weight: weight.shape };
  const { solver, config } = engine.explain(`${operation}${rank}d`, shapes, { ...options, dtype });
  if (solver !== "winograd") return undefined;
  return config.tile === 2 ? 2 : 4;
}

function refuses(engine: Engine, { operation, rank, dtype, input, weight, options }: ForwardCase): boolean {
  try {
    engine.explain(`${operation}${rank}d`, { input: input.shape, weight: weight.shape }, { ...options, dtype });
    return false;
  } catch (error) {
    if (error instanceof SolverError) return true;
    throw error;
  }
}

/** Compares one pass with the reference, within the derived bound. */
export function comparePass(
  problem: ConvProblem,
  direction: PassDirection,
  operands: PassOperands,
  actual: ArrayLike<number>,
): Comparison {
  return compare(actual, referencePass(problem, direction, operands), errorBound(problem, direction, operands));
}

/** What a comparison must say: every element within its bound. `toMatchObject` then shows the worst one. */
export const WITHIN_BOUND = { pass: true } as const;

/** Runs both gradients of a float32 case as the engine chooses and compares them with the reference. */
export async function checkGradients(engine: Engine, testCase: LayerCase): Promise<void> {
  const { operation, input, weight } = testCase;
  const problem = problemOf(testCase);
  const resultShape = operation === "conv" ? problem.outputShape : problem.inputShape;
  const dy = reals(new Random(1), product(resultShape));
  const [x, w] = [toFloat32(input.data), toFloat32(weight.data)];
  using gradient = engine.tensor(dy, resultShape);
  using inputTensor = engine.tensor(x, input.shape);
  using weightTensor = engine.tensor(w, weight.shape);
  const tensors = { gradient, input: inputTensor, weight: weightTensor };
  const [toInput, toWeight] = await runGradients(engine, testCase, tensors);
  if (operation === "conv") {
    expect(comparePass(problem, "inputGradient", { dy, w }, toInput), "dx").toMatchObject(WITHIN_BOUND);
    expect(comparePass(problem, "weightGradient", { dy, x }, toWeight), "dw").toMatchObject(WITHIN_BOUND);
  } else {
    // In the convolution behind a transposed one its x is the gradient, and its dy the x.
    expect(comparePass(problem, "forward", { x: dy, w }, toInput), "dx").toMatchObject(WITHIN_BOUND);
    expect(comparePass(problem, "weightGradient", { dy: x, x: dy }, toWeight), "dw").toMatchObject(WITHIN_BOUND);
  }
}

async function runGradients(
  engine: Engine,
  { operation, rank, options }: LayerCase,
  { gradient, input, weight }: Readonly<Record<"gradient" | "input" | "weight", Tensor>>,
): Promise<Float32Array[]> {
  using dx = engine[`${operation}${rank}dInputGradient`](gradient, weight, input.shape, options);
  using dw = engine[`${operation}${rank}dWeightGradient`](gradient, input, weight.shape, options);
  return await Promise.all([dx.data(), dw.data()]);
}

const PASSES = ["forward", "inputGradient", "weightGradient"] as const;
type Pass = (typeof PASSES)[number];

/**
 * The passes in which layer `index` of a long list is checked here. Compiling for each takes a software device most of the
 * time: there two platforms take turns, so that each layer is checked in each pass on one of them. A GPU takes all.
 */
export function passesInTurn(index: number, capabilities: Capabilities): readonly Pass[] {
  return PASSES.filter((_, pass) => isOwn(index + pass, capabilities));
}

/** Runs passes of a layer on reals as the engine chooses, and compares them with the reference. */
export async function checkLayer(engine: Engine, layer: Layer, passes: readonly Pass[]): Promise<void> {
  const { inputShape, weightShape, options } = layerShapes(layer);
  const problem = makeProblem(2, inputShape, weightShape, options);
  const x = reals(new Random(1), product(inputShape));
  const w = reals(new Random(2), product(weightShape));
  const dy = reals(new Random(3), product(problem.outputShape));
  using input = engine.tensor(x, inputShape);
  using weight = engine.tensor(w, weightShape);
  using gradient = engine.tensor(dy, problem.outputShape);
  const run = {
    forward: () => engine.conv2d(input, weight, options),
    inputGradient: () => engine.conv2dInputGradient(gradient, weight, inputShape, options),
    weightGradient: () => engine.conv2dWeightGradient(gradient, input, weightShape, options),
  };
  const operands = { forward: { x, w }, inputGradient: { dy, w }, weightGradient: { dy, x } };
  const results = passes.map((pass) => run[pass]());
  const values = await Promise.all(results.map(async (result) => await result.data()));
  for (const result of results) result.dispose();
  for (const [i, pass] of passes.entries()) {
    expect(comparePass(problem, pass, operands[pass], values[i]), pass).toMatchObject(WITHIN_BOUND);
  }
}
