/** Convolutions of enlarged maps as transposed convolutions of the maps themselves, which then need not be written. */
import type { ConvolutionNode, ResizeNode } from "../../../io/graph.js";
import { BYTES_PER_ELEMENT } from "../../../problem/dtype.js";
import { product } from "../../../problem/geometry.js";
import type { Hyperparameters, TransposedSize } from "../../../problem/options.js";
import { makeProblem } from "../../../problem/problem.js";
import { activationShape, readActivationShape } from "../../../problem/shapes.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { contextOf, runOne, specOf } from "../../core/operation.js";
import { enlargedKernel, enlargeFiltersOperation } from "../../operations/resizing/enlargeFilters.js";
import { tapeOf } from "../../tape/step.js";

/** A transposed convolution: its filters, the caller's to dispose of, and its options. */
export interface EnlargedCall {
  readonly weight: Tensor;
  readonly options: Hyperparameters & TransposedSize;
}

/**
 * Undefined where it would not be the same, and where gradients are recorded: the filters are made of the convolution's own, once, and
 * again only after these have changed.
 *
 * @param x what is enlarged
 * @param w the convolution's filters
 */
export function enlargedCall(
  { rank, options }: ConvolutionNode,
  { options: { scaleFactor: factor = [], layout } }: ResizeNode,
  x: Tensor,
  w: Tensor,
): EnlargedCall | undefined {
  // Sums of taps would be rounded to float16 once more.
  if (tapeOf(x) || w.dtype !== "float32" || x.shape.length !== rank + 2 || factor.length !== rank) return undefined;
  if ((options.layout ?? "channels-first") !== layout) return undefined;
  const { spatial, ...rest } = readActivationShape("x", x.shape, rank, layout);
  const large = activationShape({ ...rest, spatial: spatial.map((extent, axis) => extent * factor[axis]) }, layout);
  const problem = makeProblem(rank, large, w.shape, options);
  const ofRank = <Value>(values: readonly Value[]): Value[] => values.slice(3 - rank);
  const [kernel, dilation] = [ofRank(problem.kernel), ofRank(problem.dilation)];
  const pads = ofRank(problem.padBegin).map((begin, axis) => {
    const reach = (kernel[axis] - 1) * dilation[axis];
    return [reach - begin, reach - ofRank(problem.padEnd)[axis]] as const;
  });
  const isPadded = pads.every((pair) => pair.every((pad) => pad >= 0));
  if (!isPadded || problem.stride.some((stride) => stride !== 1) || problem.paddingMode !== "zeros") return undefined;
  const { groups, outChannelsPerGroup: outChannels, inChannelsPerGroup: inChannels } = problem;
  const filters = { groups, outChannels, inChannels, kernel, dilation, factor };
  // What a device cannot bind is read in parts, of filters that are stored.
  const bytes = groups * outChannels * inChannels * product(enlargedKernel(filters)) * BYTES_PER_ELEMENT[w.dtype];
  const { limits } = contextOf(w, "weight").core.backend.capabilities ?? {};
  if (bytes > (limits?.maxStorageBufferBindingSize ?? Infinity)) return undefined;
  const operation = { ...enlargeFiltersOperation(filters, specOf(w, "weight").dtype), isKept: true as const };
  return { weight: runOne(operation, { weight: w }), options: { stride: factor, padding: pads, groups, layout } };
}
