/** Activations: names, parameters, and what their derivatives are computed from. Formulas: activationFormulas.ts. */
import { require, show } from "../base/errors.js";
import { type OptionKeys, requireOptions } from "../base/optionKeys.js";
import { requireWord } from "../base/spelling.js";

/** Activations that need only a name. Names are those of PyTorch's functionals; "gelu" is the exact one (erf). */
export const ACTIVATION_NAMES = [
  "none",
  "relu",
  "leaky-relu",
  "relu6",
  "sigmoid",
  "tanh",
  "gelu",
  "hard-swish",
  "silu",
  "elu",
  "hard-sigmoid",
  "softplus",
] as const;

type PlainName = (typeof ACTIVATION_NAMES)[number];
export type ActivationName = PlainName | "clamp" | "prelu";

/** In the order of the constants in shaders/common/epilogue.wgsl. */
export const ACTIVATION_CODES: readonly ActivationName[] = [...ACTIVATION_NAMES, "clamp", "prelu"];

/** Parameters, which are numbers, and their defaults, which are PyTorch's. */
const PARAMETERS: Readonly<Partial<Record<ActivationName, Readonly<Record<string, number>>>>> = {
  "leaky-relu": { negativeSlope: 0.01 },
  elu: { alpha: 1 },
  softplus: { beta: 1, threshold: 20 },
  clamp: { min: -Infinity, max: Infinity },
};

/**
 * A name, or a name with its parameters:
 *
 * - leaky-relu: `x` above 0, `negativeSlope * x` (0.01) elsewhere; prelu: with a tensor of slopes, one or one a channel
 * - elu: `alpha * (exp(x) - 1)` (1) where x is not positive
 * - clamp: between `min` and `max`; one of them may be left out
 * - softplus: `log(1 + exp(beta * x)) / beta` (1), and x itself where `beta * x` exceeds `threshold` (20)
 *
 * `Slope` is what holds a prelu's slopes.
 */
export type Activation<Slope> =
  | PlainName
  | { readonly name: Exclude<PlainName, "leaky-relu" | "elu" | "softplus"> }
  | { readonly name: "leaky-relu"; readonly negativeSlope?: number }
  | { readonly name: "elu"; readonly alpha?: number }
  | { readonly name: "softplus"; readonly beta?: number; readonly threshold?: number }
  | { readonly name: "clamp"; readonly min?: number; readonly max?: number }
  | { readonly name: "prelu"; readonly slope: Slope };

/** An activation with every parameter filled in. */
export type ActivationSpec =
  | { readonly name: Exclude<PlainName, "leaky-relu" | "elu" | "softplus"> }
  | { readonly name: "leaky-relu"; readonly negativeSlope: number }
  | { readonly name: "elu"; readonly alpha: number }
  | { readonly name: "softplus"; readonly beta: number; readonly threshold: number }
  /** Infinite where there is no bound. */
  | { readonly name: "clamp"; readonly min: number; readonly max: number }
  /** How many slopes there are: 1, or as many as channels. */
  | { readonly name: "prelu"; readonly slopes: number };

const makeSpec = (name: ActivationName, values: Readonly<Record<string, number>> = {}): ActivationSpec =>
  Object.freeze({ name, ...values }) as ActivationSpec;

const NAMED: ReadonlyMap<unknown, ActivationSpec> = new Map(
  ACTIVATION_NAMES.map((name) => [name, makeSpec(name, PARAMETERS[name])]),
);

export const NO_ACTIVATION: ActivationSpec = makeSpec("none");

const keysOf = (names: readonly string[]): OptionKeys => ({
  names: new Set(["name", ...names]),
  bare: { string: "name" },
});
const ALL_KEYS = keysOf([...Object.values(PARAMETERS).flatMap(Object.keys), "slope"]);

/** A tensor of slopes, or a list of them. */
type Slopes = { readonly size: number } | ArrayLike<number>;

/** @throws ArgumentError for an unknown name, and for unknown or meaningless parameters. */
export function readActivation(activation: Activation<Slopes> | undefined = "none"): ActivationSpec {
  const named = NAMED.get(activation);
  if (named) return named;
  if (typeof activation === "object") requireOptions(activation, ALL_KEYS, "activation");
  const given: Readonly<Record<string, unknown>> = typeof activation === "object" ? activation : { name: activation };
  const { name } = given;
  requireWord("activation", name, ACTIVATION_CODES);
  const defaults = PARAMETERS[name] ?? {};
  const what = `activation ${show(name)}`;
  requireOptions(given, keysOf(name === "prelu" ? ["slope"] : Object.keys(defaults)), what);
  if (name === "prelu") return makeSpec(name, { slopes: countSlopes(given.slope as Slopes | undefined) });
  const values: Record<string, number> = {};
  for (const [key, usual] of Object.entries(defaults))
    values[key] = readParameter(given[key], usual, `${what} has ${key}`);
  requireMeaning(values);
  return makeSpec(name, values);
}

function countSlopes(slope: Slopes | undefined): number {
  const isObject = typeof slope === "object" && (slope as unknown) !== null;
  const slopes: unknown = !isObject ? undefined : "size" in slope ? slope.size : slope.length;
  require(typeof slopes === "number", () => {
    return `activation "prelu" has slope ${show(slope)}; expected a tensor of one slope, or of one a channel`;
  });
  return slopes;
}

function readParameter(given: unknown, usual: number, what: string): number {
  const value = given === undefined ? usual : given;
  const isNumber = typeof value === "number" && (Number.isFinite(Math.fround(value)) || value === usual);
  require(isNumber, () => `${what} ${show(value)}; expected a finite number, within float32's range`);
  return value;
}

function requireMeaning({ min = 0, max = 0, beta = 1 }: Readonly<Record<string, number>>): void {
  require(min <= max, () => `activation "clamp" has min ${String(min)}; expected at most max, ${String(max)}`);
  require(Number.isFinite(min) || Number.isFinite(max), () => {
    return `activation "clamp" has neither min nor max; expected one of them, or both`;
  });
  require(Number.isFinite(1 / Math.fround(beta)), () => {
    return `activation "softplus" has beta ${String(beta)}; expected a number other than 0`;
  });
}

/** The parameters in a fixed order, for kernels and keys; 0 where one is absent. */
export function parametersOf(spec: ActivationSpec): readonly [first: number, second: number] {
  switch (spec.name) {
    case "leaky-relu":
      return [spec.negativeSlope, 0];
    case "elu":
      return [spec.alpha, 0];
    case "softplus":
      return [spec.beta, spec.threshold];
    case "clamp":
      return [spec.min, spec.max];
    case "prelu":
      return [spec.slopes, 0];
    default:
      return NO_PARAMETERS;
  }
}

const NO_PARAMETERS = [0, 0] as const;

/**
 * An activation as a gradient applies it to stored outputs. A clamp's outputs on its bounds were rounded as `round` does, so the
 * bounds are rounded, too.
 */
export function asStored(spec: ActivationSpec, round: (value: number) => number): ActivationSpec {
  return spec.name === "clamp" ? makeSpec("clamp", { min: round(spec.min), max: round(spec.max) }) : spec;
}

/** What an activation's derivative is computed from: its own output, or the value it was applied to. */
export function derivativeSource(spec: ActivationSpec): "output" | "preActivation" {
  switch (spec.name) {
    case "gelu":
    case "hard-swish":
    case "silu":
    case "softplus":
    case "prelu":
      return "preActivation";
    // With a negative slope the output has the same sign on both sides of 0.
    case "leaky-relu":
      return spec.negativeSlope < 0 ? "preActivation" : "output";
    case "elu":
      return spec.alpha < 0 ? "preActivation" : "output";
    default:
      return "output";
  }
}
