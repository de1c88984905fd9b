/** The formulas of activations and their derivatives, in float64. */
import type { ActivationSpec } from "./activation.js";

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);
const logistic = (value: number): number => 1 / (1 + Math.exp(-value));

/** From here on exp(-x) is 0 in float64. A factor beside it must be finite. */
const FAR = 800;

/**
 * The activation in float64: NaN of NaN, its limit at infinities.
 *
 * @param slope of a prelu, for the value's channel
 */
export function activate(value: number, spec: ActivationSpec, slope = 0): number {
  switch (spec.name) {
    case "none":
      return value;
    case "relu":
      return Math.max(value, 0);
    case "leaky-relu":
      return value > 0 ? value : value * spec.negativeSlope;
    case "prelu":
      return value > 0 ? value : value * slope;
    case "relu6":
      return clamp(value, 0, 6);
    case "clamp":
      return clamp(value, spec.min, spec.max);
    case "sigmoid":
      return logistic(value);
    case "hard-sigmoid":
      return clamp(value + 3, 0, 6) / 6;
    case "tanh":
      return Math.tanh(value);
    case "gelu":
      return Math.max(value, -FAR) * normalCdf(value);
    case "silu":
      return Math.max(value, -FAR) * logistic(value);
    case "hard-swish":
      return Math.max(value, -3) * (clamp(value + 3, 0, 6) / 6);
    case "elu":
      return value > 0 ? value : spec.alpha * Math.expm1(value);
    case "softplus": {
      const scaled = spec.beta * value;
      if (scaled > spec.threshold) return value;
      return (Math.max(scaled, 0) + Math.log1p(Math.exp(-Math.abs(scaled)))) / spec.beta;
    }
  }
}

/**
 * The derivative in float64, from what `derivativeSource` names. NaN of NaN. Where it jumps it is PyTorch's: that of the flat
 * side for relu, relu6, clamp (hardtanh) and hard-sigmoid.
 */
export function activationDerivative(source: number, spec: ActivationSpec, slope = 0): number {
  if (Number.isNaN(source)) return source;
  switch (spec.name) {
    case "none":
      return 1;
    case "relu":
      return source > 0 ? 1 : 0;
    case "leaky-relu":
      return source > 0 ? 1 : spec.negativeSlope;
    case "prelu":
      return source > 0 ? 1 : slope;
    case "relu6":
      return source > 0 && source < 6 ? 1 : 0;
    case "clamp":
      return isAbove(source, spec.min) && isAbove(-source, -spec.max) ? 1 : 0;
    case "sigmoid":
      return source * (1 - source);
    case "hard-sigmoid":
      return source > 0 && source < 1 ? 1 / 6 : 0;
    case "tanh":
      return 1 - source * source;
    case "gelu":
      return normalCdf(source) + clamp(source, -FAR, FAR) * Math.exp(-0.5 * source * source) * Math.sqrt(0.5 / Math.PI);
    case "silu":
      return logistic(source) * (1 + clamp(source, -FAR, FAR) * logistic(-source));
    case "hard-swish":
      return source <= -3 ? 0 : source >= 3 ? 1 : (2 * source + 3) / 6;
    case "elu":
      if (source > 0) return 1;
      return spec.alpha < 0 ? spec.alpha * Math.exp(source) : source + spec.alpha;
    case "softplus":
      return spec.beta * source > spec.threshold ? 1 : logistic(spec.beta * source);
  }
}

/** Whether a value is above a bound. -Infinity is no bound: every value is above it. */
const isAbove = (value: number, bound: number): boolean => value > bound || bound === -Infinity;

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
