/** Activations and their gradients in float64, element by element. */
import { require } from "../base/errors.js";
import { requireInteger } from "../problem/geometry.js";
import { optionKeys, requireOptions } from "../base/optionKeys.js";
import { requireList, requireNumbers } from "./checks.js";
import { type ActivationSpec, readActivation } from "../problem/activation.js";
import { activate, activationDerivative } from "../problem/activationFormulas.js";
import type { ReferenceActivation } from "./passes.js";

/** Where the channels of a tensor lie: element i is of channel `floor(i / stride) % count`. */
export interface Channels {
  readonly count: number;
  /** Elements from one channel to the next. */
  readonly stride: number;
}

const ALIKE: Channels = { count: 1, stride: 1 };
const CHANNELS = optionKeys<Channels>({ count: 1, stride: 1 });

function readChannels(channels: Channels): Channels {
  requireOptions(channels, CHANNELS, "channels");
  requireInteger("channels.count", channels.count, 1);
  requireInteger("channels.stride", channels.stride, 1);
  return channels;
}

/** Calls `use` with each element's slope. */
function mapWithSlopes(
  values: ArrayLike<number>,
  activation: ReferenceActivation | undefined,
  channels: Channels,
  use: (value: number, i: number, spec: ActivationSpec, slope: number) => number,
): Float64Array {
  requireList("values", values);
  const { count, stride } = readChannels(channels);
  const spec = readActivation(activation);
  const slopes = typeof activation === "object" && activation.name === "prelu" ? activation.slope : [0];
  requireNumbers("slope", slopes, [slopes.length === 1 ? 1 : count]);
  const slopeAt = (i: number): number => slopes[slopes.length === 1 ? 0 : Math.floor(i / stride) % count];
  return Float64Array.from(values, (value, i) => use(value, i, spec, slopeAt(i)));
}

/** @param channels of the values, where a prelu has a slope for each */
export function applyActivation(
  values: ArrayLike<number>,
  activation: ReferenceActivation | undefined,
  channels: Channels = ALIKE,
): Float64Array {
  return mapWithSlopes(values, activation, channels, (value, _, spec, slope) => activate(value, spec, slope));
}

/**
 * dy before the activation: dy times the derivative, which `source` gives (see `derivativeSource`).
 *
 * @param channels of dy, where a prelu has a slope for each
 */
export function activationGradient(
  dy: ArrayLike<number>,
  source: ArrayLike<number>,
  activation: ReferenceActivation,
  channels: Channels = ALIKE,
): Float64Array {
  requireList("dy", dy);
  requireNumbers("source", source, [dy.length]);
  require((activation as unknown) !== undefined, () => "activation is undefined; expected a name, or { name }");
  return mapWithSlopes(dy, activation, channels, (value, i, spec, slope) => {
    return value * activationDerivative(source[i], spec, slope);
  });
}

/** dy before a relu: dy where the forward output is positive, 0 elsewhere; NaN where either is. */
export function maskByOutput(dy: ArrayLike<number>, output: ArrayLike<number>): Float64Array {
  return activationGradient(dy, output, "relu");
}

/**
 * Gradient of a prelu's slopes, one a channel: the sum of `dy * min(value, 0)`.
 *
 * @param values that the prelu was applied to
 */
export function slopeGradient(
  dy: ArrayLike<number>,
  values: ArrayLike<number>,
  channels: Channels = ALIKE,
): Float64Array {
  requireList("dy", dy);
  requireNumbers("values", values, [dy.length]);
  const { count, stride } = readChannels(channels);
  const result = new Float64Array(count);
  for (let i = 0; i < dy.length; i++) {
    result[Math.floor(i / stride) % count] += dy[i] * (values[i] > 0 ? 0 : values[i]);
  }
  return result;
}
