/**
 * The effective receptive field of a stack: how strongly each input element moves the output element in the middle, over
 * random weights. It is the root mean square of the gradient, which the engine computes.
 * After Luo, Li, Urtasun and Zemel, "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks"
 * (arXiv:1701.04128); without activations, where the gradient is the same for every input.
 */
import type { Engine, Tensor } from "webgpu-conv";
import { uniform, valuesFrom } from "../../../benchmark/random.js";
import { paddingOf, type Stack, type StackLayer } from "./stacks.js";

/** Networks of random weights that a GPU computes side by side in one pass, as groups. */
const SIDE_BY_SIDE = 4;
/** Channels of each in place of the stack's widest. */
export const CHANNELS = 8;

export interface EffectiveField {
  /** Height and width of the map, odd. */
  readonly extent: number;
  /** Row by row, from 0 to 1, the largest. */
  readonly values: Float32Array;
  /** Side of the smallest square in the middle that holds {@link SHARE} of the squared gradient. */
  readonly effective: number;
}

/** Of the squared gradient. */
export const SHARE = 0.8;

/** A stack with few channels, in proportion. */
function narrowed({ layers }: Stack): StackLayer[] {
  const widest = Math.max(...layers.flatMap(({ inChannels, outChannels }) => [inChannels, outChannels]));
  const narrow = (channels: number): number => Math.max(1, Math.round((channels * CHANNELS) / widest));
  return layers.map((layer) => {
    return { ...layer, inChannels: narrow(layer.inChannels), outChannels: narrow(layer.outChannels) };
  });
}

/** Squared gradients of the middle output elements of networks, one a seed, summed over networks and channels. */
async function squaredGradients(
  engine: Engine,
  layers: readonly StackLayer[],
  extent: number,
  seeds: readonly number[],
): Promise<Float64Array> {
  const networks = seeds.length;
  const sources = seeds.map((seed) => uniform(seed));
  /** The next values of each network, one after the other. */
  const draw = (perNetwork: number): Float32Array<ArrayBuffer> => {
    const values = new Float32Array(networks * perNetwork);
    for (const [i, next] of sources.entries()) values.set(valuesFrom(next, perNetwork), i * perNetwork);
    return values;
  };
  const positions = extent * extent;
  const { outChannels } = layers[layers.length - 1];
  const middle = new Float32Array(networks * outChannels * positions);
  for (const [channel, value] of draw(outChannels).entries()) middle[channel * positions + (positions - 1) / 2] = value;
  let gradient: Tensor = engine.tensor(middle, [1, networks * outChannels, extent, extent]);
  for (const layer of [...layers].reverse()) {
    const { inChannels, outChannels, kernel, dilation } = layer;
    using after = gradient;
    const shape = [networks * outChannels, inChannels, kernel, kernel];
    using weight = engine.tensor(draw(outChannels * inChannels * kernel * kernel), shape);
    gradient = engine.conv2dInputGradient(after, weight, [1, networks * inChannels, extent, extent], {
      groups: networks,
      padding: paddingOf(layer),
      dilation,
    });
  }
  using result = gradient;
  const values = await result.data();
  const sums = new Float64Array(positions);
  for (const [i, value] of values.entries()) sums[i % positions] += value * value;
  return sums;
}

/**
 * The same on each device, whatever it computes at once: a CPU takes one network after the other, since it has the page's
 * only thread meanwhile.
 *
 * @param extent of the map, odd
 * @param networks of random weights, fewer than 1,000
 * @param onPass after some of them, with how many are done; what it throws ends the work
 */
export async function effectiveField(
  engine: Engine,
  stack: Stack,
  options: {
    readonly extent: number;
    readonly networks: number;
    readonly seed: number;
    onPass(this: void, done: number): Promise<void>;
  },
): Promise<EffectiveField> {
  const { extent, networks, seed, onPass } = options;
  const layers = narrowed(stack);
  const squares = new Float64Array(extent * extent);
  const seeds = Array.from({ length: networks }, (_, network) => seed * 1000 + network);
  const atOnce = engine.device ? SIDE_BY_SIDE : 1;
  for (let done = 0; done < networks; done += atOnce) {
    const sums = await squaredGradients(engine, layers, extent, seeds.slice(done, done + atOnce));
    for (const [i, sum] of sums.entries()) squares[i] += sum;
    await onPass(Math.min(done + atOnce, networks));
  }
  const largest = squares.reduce((most, value) => Math.max(most, value), 0);
  return {
    extent,
    values: Float32Array.from(squares, (value) => Math.sqrt(value / largest)),
    effective: squareThatHolds(squares, extent),
  };
}

function squareThatHolds(squares: Float64Array, extent: number): number {
  const middle = (extent - 1) / 2;
  const total = squares.reduce((sum, value) => sum + value, 0);
  for (let radius = 0; radius < middle; radius++) {
    let inside = 0;
    for (let row = middle - radius; row <= middle + radius; row++) {
      for (let column = middle - radius; column <= middle + radius; column++) inside += squares[row * extent + column];
    }
    if (inside >= SHARE * total) return 2 * radius + 1;
  }
  return extent;
}
