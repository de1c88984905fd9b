/** Activations by their definitions, in float64, with their limits at infinities: what the engine is compared with. */
import type { Activation } from "webgpu-conv";

/** An activation, its definition and its derivative, both as functions of the value that it is applied to. */
export interface Formula {
  readonly name: string;
  readonly activation: Activation;
  readonly value: (x: number) => number;
  readonly slope: (x: number) => number;
  /** Where the derivative jumps. */
  readonly kinks: readonly number[];
  /** What a gradient takes the derivative from. */
  readonly from: "output" | "preActivation";
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** The normal distribution by Simpson's rule from -12 on: beyond, it is below 2e-33. */
function normal(x: number): number {
  const [start, end] = [-12, Math.min(Math.max(x, -12), 12)];
  const steps = 4000;
  const width = (end - start) / steps;
  let sum = density(start) + density(end);
  for (let i = 1; i < steps; i++) sum += density(start + i * width) * (i % 2 === 1 ? 4 : 2);
  return (sum * width) / 3;
}

/** `factor * x`, where a factor of 0 wins over an infinite x. */
const times = (factor: number, x: number): number => (factor === 0 && !Number.isNaN(x) ? 0 : factor * x);

const between = (x: number, low: number, high: number): number => (x < low ? low : x > high ? high : x);

const step = (x: number, low: number, inside: number, high: number, above: number): number =>
  Number.isNaN(x) ? x : x <= low ? 0 : x < high ? inside : above;

export const FORMULAS: readonly Formula[] = [
  {
    name: "relu",
    activation: "relu",
    value: (x) => between(x, 0, Infinity),
    slope: (x) => step(x, 0, 1, Infinity, 1),
    kinks: [0],
    from: "output",
  },
  {
    name: "leaky-relu",
    activation: { name: "leaky-relu", negativeSlope: 0.25 },
    value: (x) => (x > 0 ? x : x / 4),
    slope: (x) => 0.25 + 0.75 * step(x, 0, 1, Infinity, 1),
    kinks: [0],
    from: "output",
  },
  {
    name: "leaky-relu that falls below 0",
    activation: { name: "leaky-relu", negativeSlope: -2 },
    value: (x) => (x > 0 ? x : -2 * x),
    slope: (x) => 3 * step(x, 0, 1, Infinity, 1) - 2,
    kinks: [0],
    from: "preActivation",
  },
  {
    name: "relu6",
    activation: "relu6",
    value: (x) => between(x, 0, 6),
    slope: (x) => step(x, 0, 1, 6, 0),
    kinks: [0, 6],
    from: "output",
  },
  {
    name: "sigmoid",
    activation: "sigmoid",
    value: sigmoid,
    slope: (x) => sigmoid(x) * sigmoid(-x),
    kinks: [],
    from: "output",
  },
  {
    name: "tanh",
    activation: "tanh",
    value: Math.tanh,
    slope: (x) => 1 - Math.tanh(x) ** 2,
    kinks: [],
    from: "output",
  },
  {
    name: "gelu",
    activation: "gelu",
    value: (x) => times(normal(x), x),
    slope: (x) => normal(x) + times(density(x), x),
    kinks: [],
    from: "preActivation",
  },
  {
    name: "hard-swish",
    activation: "hard-swish",
    value: (x) => times(between(x / 6 + 0.5, 0, 1), x),
    slope: (x) => step(x, -3, x / 3 + 0.5, 3, 1),
    kinks: [-3, 3],
    from: "preActivation",
  },
  {
    name: "silu",
    activation: "silu",
    value: (x) => times(sigmoid(x), x),
    slope: (x) => sigmoid(x) + times(sigmoid(x) * sigmoid(-x), x),
    kinks: [],
    from: "preActivation",
  },
  {
    name: "elu",
    activation: { name: "elu", alpha: 0.75 },
    value: (x) => (x > 0 ? x : 0.75 * Math.expm1(x)),
    slope: (x) => (x > 0 ? 1 : 0.75 * Math.exp(x)),
    kinks: [0],
    from: "output",
  },
  {
    name: "elu that falls below 0",
    activation: { name: "elu", alpha: -2 },
    value: (x) => (x > 0 ? x : -2 * Math.expm1(x)),
    slope: (x) => (x > 0 ? 1 : -2 * Math.exp(x)),
    kinks: [0],
    from: "preActivation",
  },
  {
    name: "hard-sigmoid",
    activation: "hard-sigmoid",
    value: (x) => between(x / 6 + 0.5, 0, 1),
    slope: (x) => step(x, -3, 1 / 6, 3, 0),
    kinks: [-3, 3],
    from: "output",
  },
  {
    name: "softplus",
    activation: "softplus",
    value: (x) => (x > 20 ? x : Math.log1p(Math.exp(x))),
    slope: (x) => (x > 20 ? 1 : sigmoid(x)),
    kinks: [20],
    from: "preActivation",
  },
  {
    name: "softplus, steep, linear early",
    // A power of two: the product with any other beta is rounded, which exp magnifies.
    activation: { name: "softplus", beta: 2, threshold: 3 },
    value: (x) => (2 * x > 3 ? x : Math.log1p(Math.exp(2 * x)) / 2),
    slope: (x) => (2 * x > 3 ? 1 : sigmoid(2 * x)),
    kinks: [1.5],
    from: "preActivation",
  },
  {
    name: "clamp",
    // float16 has neither bound.
    activation: { name: "clamp", min: -0.7, max: 3.3 },
    value: (x) => between(x, -0.7, 3.3),
    slope: (x) => step(x, -0.7, 1, 3.3, 0),
    kinks: [-0.7, 3.3],
    from: "output",
  },
  {
    name: "clamp from above alone",
    activation: { name: "clamp", max: 1 },
    value: (x) => between(x, -Infinity, 1),
    slope: (x) => (Number.isNaN(x) ? x : x < 1 ? 1 : 0),
    kinks: [1],
    from: "output",
  },
  {
    name: "clamp from below alone",
    activation: { name: "clamp", min: 1 },
    value: (x) => between(x, 1, Infinity),
    slope: (x) => (Number.isNaN(x) ? x : x > 1 ? 1 : 0),
    kinks: [1],
    from: "output",
  },
];
