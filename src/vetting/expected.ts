/**
 * What an operation of a trial should give: the reference in its plainest form, for small problems. Every page that convolves loads
 * it, and `webgpu-conv/reference` takes several times the bytes. A test compares the two.
 */
import { loadLazily } from "../base/lazy.js";
import { product } from "../problem/geometry.js";
import { type ConvOperation, shapeOfRole, type TensorRole } from "../problem/operation.js";
import type { ConvProblem } from "../problem/problem.js";
import { paddedSource } from "../reference/paddedSource.js";

/** Values by role. */
export type Inputs = Readonly<Partial<Record<TensorRole, Float32Array>>>;

const NOTHING = new Float32Array();

const loadFormulas = () => loadLazily("activations", () => import("../problem/activationFormulas.js"));

/** In float64, in the order of `resultRoles`; NaN where nothing is computed. `x` of the inputs is values, of an image too. */
export async function expectedOf(operation: ConvOperation, inputs: Inputs): Promise<Float64Array[]> {
  const { direction, problem, masked, bias } = operation;
  const { x = NOTHING, y = NOTHING, activated = NOTHING } = inputs;
  const dy = masked ? y.map((value, i) => (activated[i] > 0 ? value : 0)) : y;
  switch (direction) {
    case "forward":
    case "inputGradient":
      return [await finished(operation, inputs, sumsOf(problem, direction, { ...inputs, y: dy }))];
    case "weightGradient": {
      const sums = sumsOf(problem, direction, { ...inputs, y: dy });
      return bias ? [sums, channelSums(problem, dy)] : [sums];
    }
    case "biasGradient":
      return [channelSums(problem, dy)];
    case "slopeGradient":
      return [
        channelSums(
          problem,
          y.map((value, i) => value * Math.min(activated[i], 0)),
          shapeOfRole(operation, "slopes")[0],
        ),
      ];
    case "activation":
      return [await finished(operation, inputs, Float64Array.from(x))];
    case "activationGradient": {
      const { activationDerivative } = await loadFormulas();
      const slopeAt = slopesOf(operation, inputs);
      return [
        Float64Array.from(
          y,
          (value, i) => value * activationDerivative(activated[i], operation.activation, slopeAt(i)),
        ),
      ];
    }
  }
}

/** Products that are summed: milliseconds. Of more, some channels of the result are left out, whose sums are NaN. */
const MOST_PRODUCTS = 2 ** 21;

/** The sums of products of a pass. */
function sumsOf(
  problem: ConvProblem,
  direction: "forward" | "inputGradient" | "weightGradient",
  { x = NOTHING, w = NOTHING, y = NOTHING }: Inputs,
): Float64Array {
  const { batch, inChannelsPerGroup, outChannelsPerGroup, outChannels, output, kernel, taps, outputPositions } =
    problem;
  const { inputShape, weightShape, outputShape, inputStrides, outputStrides, weightStrides, inChannels } = problem;
  const shape = { forward: outputShape, inputGradient: inputShape, weightGradient: weightShape }[direction];
  const isInput = direction === "inputGradient";
  const oneIn = Math.ceil(problem.multiplyAdds / MOST_PRODUCTS);
  /** The first channel, the last, and others evenly between. */
  const isSummed = (channel: number, channels: number): boolean => channel % oneIn === 0 || channel === channels - 1;
  const sums = new Float64Array(product(shape));
  for (let at = 0; at < outputPositions * taps; at++) {
    const [position, tap] = [Math.floor(at / taps), at % taps];
    const source = sourceOf(problem, split(position, output), split(tap, kernel));
    if (source < 0) continue;
    for (let n = 0; n < batch; n++) {
      for (let o = 0; o < outChannels; o++) {
        if (!isInput && !isSummed(o, outChannels)) continue;
        const first = Math.floor(o / outChannelsPerGroup) * inChannelsPerGroup;
        const yAt = n * outputStrides[0] + o * outputStrides[1] + position * outputStrides[2];
        const xFirst = n * inputStrides[0] + first * inputStrides[1] + source * inputStrides[2];
        const wFirst = o * weightStrides.out + tap * weightStrides.tap + position * problem.weightPositionStride;
        for (let c = 0; c < inChannelsPerGroup; c++) {
          if (isInput && !isSummed(first + c, inChannels)) continue;
          const xAt = xFirst + c * inputStrides[1];
          const wAt = wFirst + c * weightStrides.in;
          if (direction === "forward") sums[yAt] += x[xAt] * w[wAt];
          else if (isInput) sums[xAt] += y[yAt] * w[wAt];
          else sums[wAt] += y[yAt] * x[xAt];
        }
      }
    }
  }
  if (oneIn === 1) return sums;
  const [channels, step] = {
    forward: [outChannels, outputStrides[1]],
    inputGradient: [inChannels, inputStrides[1]],
    weightGradient: [outChannels, weightStrides.out],
  }[direction];
  return sums.map((sum, i) => (isSummed(Math.floor(i / step) % channels, channels) ? sum : NaN));
}

/** The input position that a tap reads; negative where that is a padding's zero. */
function sourceOf(problem: ConvProblem, position: readonly number[], tap: readonly number[]): number {
  const { input, stride, dilation, padBegin, paddingMode } = problem;
  let source = 0;
  for (let axis = 0; axis < 3; axis++) {
    const at = position[axis] * stride[axis] + tap[axis] * dilation[axis] - padBegin[axis];
    const along = paddedSource(at, input[axis], paddingMode);
    if (along < 0) return -1;
    source = source * input[axis] + along;
  }
  return source;
}

/** A row-major index as [depth, height, width]. */
const split = (index: number, [, height, width]: readonly number[]): readonly number[] => [
  Math.floor(index / (height * width)),
  Math.floor(index / width) % height,
  index % width,
];

/** Sums over batch and positions, for each output channel, or over everything. */
function channelSums({ outChannels, outputStrides }: ConvProblem, y: Float32Array, count = outChannels): Float64Array {
  const sums = new Float64Array(count);
  for (let i = 0; i < y.length; i++) sums[(Math.floor(i / outputStrides[1]) % outChannels) % count] += y[i];
  return sums;
}

/** The sums with what is fused behind them. */
async function finished(operation: ConvOperation, inputs: Inputs, sums: Float64Array): Promise<Float64Array> {
  const { bias, residual } = inputs;
  const { activation, problem, direction } = operation;
  const step = (direction === "forward" ? problem.outputStrides : problem.inputStrides)[1];
  const before = sums.map((sum, i) => {
    return sum + (bias ? bias[Math.floor(i / step) % bias.length] : 0) + (residual ? residual[i] : 0);
  });
  if (activation.name === "none") return before;
  // Without the formulas of others, as in a kernel.
  if (activation.name === "relu") return before.map((value) => Math.max(value, 0));
  const { activate } = await loadFormulas();
  const slopeAt = slopesOf(operation, inputs);
  return before.map((value, i) => activate(value, activation, slopeAt(i)));
}

/** The slope of each element of the result; 0 where there are none. */
function slopesOf({ problem, direction }: ConvOperation, { slopes = NOTHING }: Inputs): (i: number) => number {
  const step = (
    direction === "forward" || direction === "activationGradient" ? problem.outputStrides : problem.inputStrides
  )[1];
  return (i) => (slopes.length === 0 ? 0 : slopes[Math.floor(i / step) % slopes.length]);
}
