/** Activations: names, parameters, and the formulas in float64. */
import { require, show } from "./errors.js";
import { optionKeys, requireOptions } from "./optionKeys.js";
import { requireWord } from "./spelling.js";

/** Names as PyTorch's functionals have them; "gelu" is the exact one (erf). */
export type ActivationName = "none" | "relu" | "leaky-relu" | "relu6" | "sigmoid" | "tanh" | "gelu" | "hard-swish";

/** A name, or a name with its parameter. */
export type Activation = ActivationName | { readonly name: ActivationName; readonly negativeSlope?: number };

/** An activation with every parameter filled in. */
export interface ActivationSpec {
  readonly name: ActivationName;
  /** Of "leaky-relu"; 0.01 when the caller does not say. */
  readonly negativeSlope: number;
}

/** In the order of the constants in shaders/common/epilogue.wgsl. */
export const ACTIVATION_NAMES: readonly ActivationName[] = [
  "none",
  "relu",
  "leaky-relu",
  "relu6",
  "sigmoid",
  "tanh",
  "gelu",
  "hard-swish",
];

const NEGATIVE_SLOPE = 0.01;
export const NO_ACTIVATION: ActivationSpec = { name: "none", negativeSlope: NEGATIVE_SLOPE };

const ACTIVATION_KEYS = optionKeys<Exclude<Activation, string>>({ name: 1, negativeSlope: 1 }, { string: "name" });

export function readActivation(activation: Activation = "none"): ActivationSpec {
  if (typeof activation === "object") requireOptions(activation, ACTIVATION_KEYS, "activation");
  const { name, negativeSlope = NEGATIVE_SLOPE } = typeof activation === "object" ? activation : { name: activation };
  const spec = { name, negativeSlope };
  requireWord("activation", name, ACTIVATION_NAMES);
  require(Number.isFinite(spec.negativeSlope), () => {
    return `activation ${show(spec.name)} has negativeSlope ${show(spec.negativeSlope)}; expected a finite number`;
  });
  return spec;
}

/** What an activation's derivative is computed from: its own output, or the value it was applied to. */
export function derivativeSource({ name, negativeSlope }: ActivationSpec): "output" | "preActivation" {
  // With a negative slope the output is positive on both sides.
  const isAmbiguous = name === "leaky-relu" && negativeSlope < 0;
  return isAmbiguous || name === "gelu" || name === "hard-swish" ? "preActivation" : "output";
}

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** From here on gelu's distribution is 0 or 1 and its density 0, in float64: what multiplies them must not be infinite. */
const FAR = 64;

/** The activation in float64: NaN of NaN, its limit at infinities. */
export function activate(value: number, { name, negativeSlope }: ActivationSpec): number {
  switch (name) {
    case "none":
      return value;
    case "relu":
      return Math.max(value, 0);
    case "leaky-relu":
      return value > 0 ? value : value * negativeSlope;
    case "relu6":
      return clamp(value, 0, 6);
    case "sigmoid":
      return 1 / (1 + Math.exp(-value));
    case "tanh":
      return Math.tanh(value);
    case "gelu":
      return Math.max(value, -FAR) * normalCdf(value);
    case "hard-swish":
      return Math.max(value, -3) * (clamp(value + 3, 0, 6) / 6);
  }
}

/** The derivative in float64, from what {@link derivativeSource} names: NaN of NaN. */
export function activationDerivative(source: number, { name, negativeSlope }: ActivationSpec): number {
  if (Number.isNaN(source)) return source;
  switch (name) {
    case "none":
      return 1;
    case "relu":
      return source > 0 ? 1 : 0;
    case "leaky-relu":
      return source > 0 ? 1 : negativeSlope;
    case "relu6":
      return source > 0 && source < 6 ? 1 : 0;
    case "sigmoid":
      return source * (1 - source);
    case "tanh":
      return 1 - source * source;
    case "gelu":
      return normalCdf(source) + clamp(source, -FAR, FAR) * Math.exp(-0.5 * source * source) * Math.sqrt(0.5 / Math.PI);
    case "hard-swish":
      return source <= -3 ? 0 : source >= 3 ? 1 : (2 * source + 3) / 6;
  }
}

/**
 * Cumulative normal distribution, through the error function's Taylor series near 0 and the continued fraction of
 * erfc beyond (Abramowitz and Stegun 7.1.6 and 7.1.14): full float64 precision.
 */
export function normalCdf(value: number): number {
  const x = Math.abs(value) * Math.SQRT1_2;
  let tail: number;
  if (x < 3) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    tail = 0.5 - (Math.exp(-x * x) * sum) / Math.sqrt(Math.PI);
  } else {
    let fraction = x;
    for (let n = 60; n >= 1; n--) fraction = x + n / 2 / fraction;
    tail = Math.exp(-x * x) / fraction / Math.sqrt(Math.PI) / 2;
  }
  return value > 0 ? 1 - tail : tail;
}
