/** What every conformance test does with a problem: run it by each solver, compare it with the reference. */
import { expect } from "vitest";
import { type ConvOptions, type Engine, SolverError } from "webgpu-conv";
import {
  type Comparison,
  compare,
  errorBound,
  makeProblem,
  type PassDirection,
  type PassOperands,
  referencePass,
} from "webgpu-conv/reference";
import { product } from "../../src/geometry.js";
import type { ConvProblem } from "../../src/problem.js";
import { SOLVERS } from "../../src/solvers/index.js";
import { Random, reals } from "./data.js";
import type { HostTensor } from "./layout.js";

/** A forward pass with its expected result: NCHW input and output, OIHW weight. */
export interface ForwardCase {
  readonly input: HostTensor;
  readonly weight: HostTensor;
  readonly bias: ArrayLike<number> | undefined;
  readonly options: ConvOptions;
  readonly expected: HostTensor;
}

/** Solvers that take any problem: each of them must have run every case. */
const GENERAL_SOLVERS = ["implicit-gemm", "register-tile", "direct"];

export function problemOf({ input, weight, options }: Pick<ForwardCase, "input" | "weight" | "options">): ConvProblem {
  return makeProblem(2, input.shape, weight.shape, options);
}

async function runForward(engine: Engine, { input, weight, bias, options }: ForwardCase): Promise<Float32Array> {
  using x = engine.tensor(input.data, input.shape);
  using w = engine.tensor(weight.data, weight.shape);
  using b = bias && engine.tensor(bias, [bias.length]);
  using y = engine.conv2d(x, w, b ? { ...options, bias: b } : options);
  return await y.data();
}

/** Runs the case as the engine chooses and by every solver that takes it; `check` sees each result. */
export async function runByEverySolver(
  engine: Engine,
  testCase: ForwardCase,
  check: (actual: Float32Array, solver: string) => void,
): Promise<void> {
  expect(problemOf(testCase).outputShape).toEqual(testCase.expected.shape);
  check(await runForward(engine, testCase), "the engine's choice");
  const ran: string[] = [];
  for (const { name } of SOLVERS.filter(({ directions }) => directions.includes("forward"))) {
    const options = { ...testCase.options, solver: name };
    if (refuses(engine, { ...testCase, options })) continue;
    check(await runForward(engine, { ...testCase, options }), name);
    ran.push(name);
  }
  expect(ran).toEqual(expect.arrayContaining(GENERAL_SOLVERS));
}

function refuses(engine: Engine, { input, weight, options }: ForwardCase): boolean {
  try {
    engine.explain("conv2d", { input: input.shape, weight: weight.shape }, options);
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

/** Runs both gradients as the engine chooses and compares them with the reference. */
export async function checkGradients(
  engine: Engine,
  { input, weight, options }: Pick<ForwardCase, "input" | "weight" | "options">,
): Promise<void> {
  const problem = problemOf({ input, weight, options });
  const dy = reals(new Random(1), product(problem.outputShape));
  using gradient = engine.tensor(dy, problem.outputShape);
  using x = engine.tensor(input.data, input.shape);
  using w = engine.tensor(weight.data, weight.shape);
  using dx = engine.conv2dInputGradient(gradient, w, input.shape, options);
  using dw = engine.conv2dWeightGradient(gradient, x, weight.shape, options);
  const [toInput, toWeight] = await Promise.all([dx.data(), dw.data()]);
  // The engine works on float32 values: so must the reference.
  const operands = { dy, x: Float32Array.from(input.data), w: Float32Array.from(weight.data) };
  expect(comparePass(problem, "inputGradient", operands, toInput)).toMatchObject(WITHIN_BOUND);
  expect(comparePass(problem, "weightGradient", operands, toWeight)).toMatchObject(WITHIN_BOUND);
}
