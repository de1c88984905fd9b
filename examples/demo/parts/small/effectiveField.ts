/**
 * The effective receptive field of a stack: how strongly each input element moves the output element in the middle, over
 * random weights. It is the root mean square of the gradient, which the engine computes.
 * After Luo, Li, Urtasun and Zemel, "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks"
 * (arXiv:1701.04128); without activations, where the gradient is the same for every input.
 */
import type { Engine, Tensor } from "webgpu-conv";
import { uniform, valuesFrom } from "../../../benchmark/random.js";
import { paddingOf, type Stack, type StackLayer } from "./stacks.js";

/** Networks of random weights side by side in one pass, as groups: few enough for a CPU between two frames. */
const NETWORKS = 4;
/** Channels of each in place of the stack's widest. */
const CHANNELS = 8;

export interface EffectiveField {
  /** Height and width of the map, odd. */
  readonly extent: number;
  /** Row by row, from 0 to 1, the largest. */
  readonly values: Float32Array;
  /** Side of the smallest square in the middle that holds {@link SHARE} of the squared gradient. */
  readonly effective: number;
}

/** Of the squared gradient. */
const SHARE = 0.8;

/** A stack with few channels, in proportion. */
function narrowed({ layers }: Stack): StackLayer[] {
  const widest = Math.max(...layers.flatMap(({ inChannels, outChannels }) => [inChannels, outChannels]));
  const narrow = (channels: number): number => Math.max(1, Math.round((channels * CHANNELS) / widest));
  return layers.map((layer) => {
    return { ...layer, inChannels: narrow(layer.inChannels), outChannels: narrow(layer.outChannels) };
  });
}

/** Squared gradients of the middle output elements of so many networks, summed over networks and channels. */
async function squaredGradients(engine: Engine, layers: readonly StackLayer[], extent: number, seed: number) {
  const next = uniform(seed);
  const positions = extent * extent;
  const outChannels = NETWORKS * layers[layers.length - 1].outChannels;
  const middle = new Float32Array(outChannels * positions);
  for (let channel = 0; channel < outChannels; channel++) middle[channel * positions + (positions - 1) / 2] = next();
  let gradient: Tensor = engine.tensor(middle, [1, outChannels, extent, extent]);
  for (const layer of [...layers].reverse()) {
    const { inChannels, outChannels, kernel, dilation } = layer;
    using after = gradient;
    const shape = [NETWORKS * outChannels, inChannels, kernel, kernel];
    using weight = engine.tensor(
      valuesFrom(
        next,
        shape.reduce((all, one) => all * one),
      ),
      shape,
    );
    gradient = engine.conv2dInputGradient(after, weight, [1, NETWORKS * inChannels, extent, extent], {
      groups: NETWORKS,
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
 * @param extent of the map, odd
 * @param passes of {@link NETWORKS} networks each
 * @param onPass after each of them; what it throws ends the work
 */
export async function effectiveField(
  engine: Engine,
  stack: Stack,
  options: {
    readonly extent: number;
    readonly passes: number;
    readonly seed: number;
    onPass(this: void): Promise<void>;
  },
): Promise<EffectiveField> {
  const { extent, passes, seed, onPass } = options;
  const layers = narrowed(stack);
  const squares = new Float64Array(extent * extent);
  for (let pass = 0; pass < passes; pass++) {
    const sums = await squaredGradients(engine, layers, extent, seed * 1000 + pass);
    for (const [i, sum] of sums.entries()) squares[i] += sum;
    await onPass();
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
