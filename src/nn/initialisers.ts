/** Initial values of parameters, by PyTorch's rules: drawn from a {@link Random}, and so the same bits on every platform. */
import { require, show } from "../base/errors.js";
import { isList } from "../base/list.js";
import { requireFinite, requireLimit } from "../base/numbers.js";
import { optionKeys, requireOptions } from "../base/optionKeys.js";
import { requireWord } from "../base/spelling.js";
import { product, requireInteger } from "../problem/geometry.js";
import { Random } from "./random.js";

/** How many terms a weight's result sums, and how many results one input goes into. */
export interface Fans {
  readonly fanIn: number;
  readonly fanOut: number;
}

/**
 * The fans of a weight, as PyTorch's `_calculate_fan_in_and_fan_out` counts them: sizes 1 and 0 of the shape, each times the
 * filter's taps. So it is for a convolution's `[out, in/groups, ...kernel]` and a linear layer's `[out, in]`. For a transposed
 * convolution's `[in, out/groups, ...kernel]` PyTorch takes the same sizes: its fan-in is `out/groups` times the taps. Groups
 * are in neither beyond what the shape has of them.
 *
 * @throws ArgumentError for a shape of fewer than two sizes, and for sizes below 1
 */
export function fans(shape: readonly number[]): Fans {
  require(isList(shape) && shape.length >= 2, () =>
    `weight's shape is ${show(shape)}; expected two sizes or more, [out, in, ...kernel]`);
  require(shape.every((size) => Number.isSafeInteger(size) && size > 0), () =>
    `weight's shape is ${show(shape)}; expected whole sizes from 1 on`);
  const taps = product(shape.slice(2));
  return { fanIn: shape[1] * taps, fanOut: shape[0] * taps };
}

/** Options of He's initialisers. */
export interface HeOptions {
  /** "fan-in" keeps the variance of activations (default), "fan-out" that of gradients. */
  readonly mode?: "fan-in" | "fan-out" | undefined;
  /** The slope of the leaky relu that follows: 0 (default) for a relu, 1 where nothing follows. */
  readonly negativeSlope?: number | undefined;
}
const HE_KEYS = optionKeys<HeOptions>({ mode: 1, negativeSlope: 1 });

/** Options of Glorot's initialisers. */
export interface GlorotOptions {
  /** By how much the deviation is multiplied; 1 by default. PyTorch has 5/3 for tanh, sqrt(2) for relu. */
  readonly gain?: number | undefined;
}
const GLOROT_KEYS = optionKeys<GlorotOptions>({ gain: 1 }, { number: "gain" });

/** gain / sqrt(fan). */
function heDeviation(shape: readonly number[], options: HeOptions): number {
  requireOptions(options, HE_KEYS);
  const { mode = "fan-in", negativeSlope = 0 } = options;
  requireWord("mode", mode, ["fan-in", "fan-out"]);
  requireFinite("negativeSlope", negativeSlope);
  const { fanIn, fanOut } = fans(shape);
  return Math.sqrt(2 / (1 + negativeSlope * negativeSlope)) / Math.sqrt(mode === "fan-in" ? fanIn : fanOut);
}

/** gain sqrt(2 / (fanIn + fanOut)). */
function glorotDeviation(shape: readonly number[], options: GlorotOptions): number {
  requireOptions(options, GLOROT_KEYS);
  const { gain = 1 } = options;
  requireLimit("gain", gain);
  const { fanIn, fanOut } = fans(shape);
  return gain * Math.sqrt(2 / (fanIn + fanOut));
}

function uniform(count: number, bound: number, random: Random): Float32Array {
  requireRandom(random);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = random.uniform(-bound, bound);
  return values;
}

function requireRandom(random: Random): void {
  require((random as unknown) instanceof Random, () => `random is ${show(random)}; expected new Random(seed)`);
}

function normal(count: number, deviation: number, random: Random): Float32Array {
  requireRandom(random);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = random.normal(0, deviation);
  return values;
}

/**
 * He's uniform weights (PyTorch's `kaiming_uniform_`; He et al., "Delving deep into rectifiers", 2015): within
 * sqrt(3) sqrt(2 / (1 + negativeSlope^2)) / sqrt(fan). With `negativeSlope` sqrt(5) they are what PyTorch gives a new layer.
 */
export const heUniform = (shape: readonly number[], random: Random, options: HeOptions = {}): Float32Array => {
  const bound = Math.sqrt(3) * heDeviation(shape, options);
  return uniform(product(shape), bound, random);
};

/** He's normal weights (`kaiming_normal_`): their deviation is sqrt(2 / (1 + negativeSlope^2)) / sqrt(fan). */
export const heNormal = (shape: readonly number[], random: Random, options: HeOptions = {}): Float32Array => {
  const deviation = heDeviation(shape, options);
  return normal(product(shape), deviation, random);
};

/**
 * Glorot's uniform weights (PyTorch's `xavier_uniform_`; Glorot and Bengio, "Understanding the difficulty of training deep
 * feedforward neural networks", 2010): within gain sqrt(6 / (fanIn + fanOut)).
 */
export const glorotUniform = (shape: readonly number[], random: Random, options: GlorotOptions = {}): Float32Array => {
  const bound = Math.sqrt(3) * glorotDeviation(shape, options);
  return uniform(product(shape), bound, random);
};

/** Glorot's normal weights (`xavier_normal_`): their deviation is gain sqrt(2 / (fanIn + fanOut)). */
export const glorotNormal = (shape: readonly number[], random: Random, options: GlorotOptions = {}): Float32Array => {
  const deviation = glorotDeviation(shape, options);
  return normal(product(shape), deviation, random);
};

/**
 * A bias as PyTorch gives it to a new layer: uniform, within 1 / sqrt(fanIn) of the layer's weight.
 *
 * @param count the layer's output channels
 * @param weight the shape of its weight
 */
export function biasUniform(count: number, weight: readonly number[], random: Random): Float32Array {
  requireInteger("count", count, 1);
  return uniform(count, 1 / Math.sqrt(fans(weight).fanIn), random);
}
