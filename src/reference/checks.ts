/** Checks of the reference's arguments. Callers write them by hand, and loops would make NaN of what is missing. */
import { require, show } from "../base/errors.js";
import { product } from "../problem/geometry.js";
import { isNumberArray, viewKind } from "../base/list.js";
import { type OptionKeys, optionKeys, requireOptions } from "../base/optionKeys.js";
import type { Hyperparameters } from "../problem/options.js";
import { SIZE_KEYS, type TransposedSize } from "../problem/options.js";
import type { ConvProblem, Rank } from "../problem/problem.js";
import { requireWord } from "../base/spelling.js";
import type { PassDirection, PassOperands } from "./passes.js";
import type { ForwardExtras } from "./passes.js";

/** Throws unless this is what `makeProblem` or one of its kin gives. */
export function requireProblem(problem: ConvProblem): void {
  const given: unknown = problem;
  const { key, inputShape, weightShape, outputShape } = (given ?? {}) as Partial<ConvProblem>;
  const isProblem = typeof key === "string" && [inputShape, weightShape, outputShape].every(Array.isArray);
  require(isProblem, () => `problem is ${show(problem)}; expected what makeProblem gives`);
}

/** Throws unless these are as many numbers as a tensor of that shape has. */
export function requireNumbers(name: string, values: unknown, shape: readonly number[]): void {
  requireList(name, values);
  const count = product(shape);
  require(values.length === count, () => {
    return `${name} has ${String(values.length)} values; expected ${[...new Set([shape.join(" * "), String(count)])].join(" = ")}`;
  });
}

/** Throws unless this is a typed array, or an object with numbers by their index. */
export function requireList(name: string, values: unknown): asserts values is ArrayLike<number> {
  if (isNumberArray(values)) return;
  const isList = typeof values === "object" && values !== null && viewKind(values) === undefined && "length" in values;
  require(isList && Number.isSafeInteger(values.length), () => `${name} is ${show(values)}; expected numbers`);
  const list = values as ArrayLike<unknown>;
  for (let i = 0; i < list.length; i++) {
    const value = list[i];
    require(typeof value === "number", () => `${name}[${String(i)}] is ${show(value)}; expected a number`);
  }
}

export const DIRECTIONS: readonly PassDirection[] = ["forward", "inputGradient", "weightGradient", "biasGradient"];
const OPERANDS = optionKeys<PassOperands>({ x: 1, w: 1, dy: 1, bias: 1, residual: 1 });
const EXTRAS = optionKeys<ForwardExtras>({ bias: 1, residual: 1, activation: 1 });
const NEEDED: Readonly<Record<PassDirection, readonly (keyof PassOperands)[]>> = {
  forward: ["x", "w"],
  inputGradient: ["dy", "w"],
  weightGradient: ["dy", "x"],
  biasGradient: ["dy"],
};

/** Throws unless the pass has all operands, shaped as the problem says. */
export function requireOperands(
  problem: ConvProblem,
  direction: PassDirection,
  operands: PassOperands,
  extras: ForwardExtras = {},
): void {
  requireProblem(problem);
  requireWord("direction", direction, DIRECTIONS);
  requireOptions(operands, OPERANDS, "operands");
  requireOptions(extras, EXTRAS, "extras");
  const isInput = direction === "inputGradient";
  const shapes: Readonly<Record<keyof PassOperands, readonly number[]>> = {
    x: problem.inputShape,
    w: problem.weightShape,
    dy: problem.outputShape,
    bias: [isInput ? problem.inChannels : problem.outChannels],
    residual: isInput ? problem.inputShape : problem.outputShape,
  };
  const all: PassOperands = { bias: extras.bias, residual: extras.residual, ...operands };
  for (const name of Object.keys(shapes) as (keyof PassOperands)[]) {
    if (all[name] !== undefined || NEEDED[direction].includes(name)) requireNumbers(name, all[name], shapes[name]);
  }
}

/** Options of a problem. Activation and solver belong to operations. */
export type ProblemOptions = Omit<Hyperparameters, "activation" | "solver">;
const PROBLEM_KEYS = {
  stride: 1,
  padding: 1,
  dilation: 1,
  groups: 1,
  paddingMode: 1,
  layout: 1,
  weightLayout: 1,
} as const;
export const PROBLEM_OPTIONS = optionKeys<ProblemOptions>(PROBLEM_KEYS, { number: "stride" });
export const TRANSPOSED_PROBLEM_OPTIONS = optionKeys<ProblemOptions & TransposedSize>(
  { ...PROBLEM_KEYS, ...SIZE_KEYS },
  { number: "stride" },
);

export function requireProblemOptions(rank: Rank, options: object, known: OptionKeys): void {
  require([1, 2, 3].includes(rank), () => `rank is ${show(rank)}; expected 1, 2 or 3 spatial axes`);
  requireOptions(options, known);
}
