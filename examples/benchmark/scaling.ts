/** Fits a layer to the device: batch up on a fast one, spatial extent down on a slow one. */
import { type ConvProblem, makeProblem } from "webgpu-conv/reference";
import { type DeviceSpeed, gpuSeconds, referenceSeconds } from "./costModel.js";
import { type Layer, layerName } from "./layers.js";
import type { LayerCost } from "./pace.js";

/** The size at which a layer is run. */
export interface Scale {
  readonly batch: number;
  readonly extent: number;
}

export interface FittedLayer {
  /** The size that is timed. */
  readonly timed: Scale;
  /** The size that is compared with the reference; the timed one itself wherever the CPU can afford it. */
  readonly verified: Scale;
}

/** What a layer, its three passes together, may cost. */
export interface LayerBudget {
  /** Runs of the device: warm-ups, samples, and the one that is verified. */
  readonly runs: number;
  /** Seconds for these runs and for the reference. */
  readonly seconds: number;
}

/** Shares of the network's extent that are tried, largest first. */
const EXTENT_SHARES = [1, 3 / 4, 1 / 2, 3 / 8, 1 / 4, 3 / 16, 1 / 8, 3 / 32, 1 / 16];
/** On a GPU, batches double until a pass should take this long: below it, starting a kernel would count too much. */
const LEAST_PASS_SECONDS = 2e-3;
const PASS_COUNT = 3;
const MOST_BATCH = 256;
/** Inputs are made on the host, which takes a while. */
const MOST_TENSOR_BYTES = 2 ** 27;
const FLOAT_BYTES = 4;

/** Shapes of the forward pass at this size. */
export function scaledShapes(
  { inChannels, outChannels, kernel, options }: Layer,
  { batch, extent }: Scale,
): { readonly input: readonly number[]; readonly weight: readonly number[] } {
  const weight = [outChannels, inChannels / options.groups, kernel, kernel];
  return { input: [batch, inChannels, extent, extent], weight };
}

export function scaledProblem(layer: Layer, scale: Scale): ConvProblem {
  const { input, weight } = scaledShapes(layer, scale);
  return makeProblem(2, input, weight, layer.options);
}

/** The layer's name; where it was scaled, with the size that was run. */
export function scaledName(layer: Layer, { batch, extent }: Scale): string {
  const scaled = batch !== layer.batch || extent !== layer.extent;
  return scaled ? `${layerName(layer)} [${extent}x${extent}, batch ${batch}]` : layerName(layer);
}

/**
 * Chooses the sizes of a layer.
 *
 * On a software device what is timed is what is verified. A GPU is timed at a size that suits it, and verified at
 * that size where the CPU can follow, else at a smaller one.
 */
export function fitLayer(layer: Layer, speed: DeviceSpeed, budget: LayerBudget, maxTensorBytes: number): FittedLayer {
  const { runs, seconds } = budget;
  const fitting = largest(layer, (problem) => cost(problem, speed, runs) <= seconds);
  if (speed.software) return { timed: fitting, verified: fitting };
  const affordable = largest(layer, (problem) => 2 * runs * gpuSeconds(problem, speed) <= seconds);
  const atFullExtent = affordable.extent === layer.extent;
  const timed = atFullExtent ? enlargeBatch(layer, affordable.batch, speed, maxTensorBytes) : affordable;
  const canFollow = 2 * referenceSeconds(scaledProblem(layer, timed), speed) <= seconds;
  return { timed, verified: canFollow ? timed : fitting };
}

/** What the layer costs at its smallest and at its network's size. */
export function layerCost(layer: Layer, speed: DeviceSpeed, runs: number): LayerCost {
  const seconds = smallerScales(layer).map((scale) => cost(scaledProblem(layer, scale), speed, runs));
  return { least: seconds[seconds.length - 1], full: seconds[0] };
}

/** Seconds; on a GPU half of them for each of device and CPU, which may work at different sizes. */
function cost(problem: ConvProblem, speed: DeviceSpeed, runs: number): number {
  const onDevice = runs * gpuSeconds(problem, speed);
  const onCpu = referenceSeconds(problem, speed);
  return speed.software ? onDevice + onCpu : 2 * Math.max(onDevice, onCpu);
}

/** The largest size that will do; the smallest where none does. */
function largest(layer: Layer, willDo: (problem: ConvProblem) => boolean): Scale {
  const scales = smallerScales(layer);
  return scales.find((scale) => willDo(scaledProblem(layer, scale))) ?? scales[scales.length - 1];
}

/** The network's own size and smaller ones, largest first; a batch is given up before the extent is. */
function smallerScales(layer: Layer): Scale[] {
  const { batch, extent } = layer;
  const batches: Scale[] = [];
  for (let smaller = batch; smaller > 1; smaller = Math.floor(smaller / 2)) batches.push({ batch: smaller, extent });
  const least = leastExtent(layer);
  const extents = EXTENT_SHARES.map((share) => Math.max(least, Math.floor(extent * share)));
  return [...batches, ...[...new Set(extents)].map((smaller) => ({ batch: 1, extent: smaller }))];
}

/** Below this extent the outer taps would see nothing but padding, or there would be one output only. */
function leastExtent({ extent, kernel, options }: Layer): number {
  const reach = (options.dilation * (kernel - 1)) / 2 + 1;
  return Math.min(extent, Math.max(2 * options.stride, Math.ceil(reach)));
}

function enlargeBatch(layer: Layer, least: number, speed: DeviceSpeed, maxTensorBytes: number): Scale {
  const { extent } = layer;
  const mostBytes = Math.min(maxTensorBytes, MOST_TENSOR_BYTES);
  let batch = least;
  for (; batch < MOST_BATCH; batch *= 2) {
    const problem = scaledProblem(layer, { batch, extent });
    const bytes = FLOAT_BYTES * Math.max(tensorSize(problem.inputShape), tensorSize(problem.outputShape));
    if (gpuSeconds(problem, speed) >= PASS_COUNT * LEAST_PASS_SECONDS || 2 * bytes > mostBytes) break;
  }
  return { batch, extent };
}

const tensorSize = (shape: readonly number[]): number => shape.reduce((size, extent) => size * extent, 1);
