/** Permutes tensors of any layout to plain ones, and back: channels first, weight [O, I, taps]. */
import type { TensorStrides, WeightStrides } from "../problem/layout.js";
import { paddedSource } from "./paddedSource.js";
import type { ConvProblem, Triple } from "../problem/problem.js";

/** Conversions between the problem's tensors and plain ones: "In" makes plain ones, "Out" the problem's. */
export interface PlainView {
  readonly xIn: (x: ArrayLike<number>) => Float64Array;
  readonly xOut: (x: Float64Array) => Float64Array;
  readonly wIn: (w: ArrayLike<number>) => Float64Array;
  readonly wOut: (w: Float64Array) => Float64Array;
  readonly yIn: (y: ArrayLike<number>) => Float64Array;
  readonly yOut: (y: Float64Array) => Float64Array;
}

export function plainView(problem: ConvProblem): PlainView {
  const { batch, inChannels, outChannels, inputPositions, outputPositions } = problem;
  const xPlaces = activationPlaces(batch, inChannels, inputPositions, problem.inputStrides);
  const yPlaces = activationPlaces(batch, outChannels, outputPositions, problem.outputStrides);
  const wPlaces = weightPlaces(problem, problem.weightStrides);
  return {
    xIn: (x) => gather(x, xPlaces),
    xOut: (x) => scatter(x, xPlaces),
    wIn: (w) => gather(w, wPlaces),
    wOut: (w) => scatter(w, wPlaces),
    yIn: (y) => gather(y, yPlaces),
    yOut: (y) => scatter(y, yPlaces),
  };
}

/** Likewise with zero padding only, and the extents and padding of that input. Other modes are applied to a copy of x. */
export function paddedView(problem: ConvProblem): Omit<PlainView, "xOut"> & Pick<ConvProblem, "input" | "padBegin"> {
  const view = plainView(problem);
  const { input, padBegin } = problem;
  if (problem.paddingMode === "zeros") return { ...view, input, padBegin };
  const { extents, sources } = paddedVolume(problem);
  return {
    ...view,
    input: extents,
    padBegin: [0, 0, 0],
    xIn: (x) => padPlanes(view.xIn(x), problem.inputPositions, sources),
  };
}

/** Where each element of a channels-first tensor lies in one with other strides. */
function activationPlaces(batch: number, channels: number, positions: number, strides: TensorStrides): Uint32Array {
  const places = new Uint32Array(batch * channels * positions);
  let next = 0;
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < positions; p++) places[next++] = n * strides[0] + c * strides[1] + p * strides[2];
    }
  }
  return places;
}

/** Where each element of a weight [O, I, taps] lies in one with other strides. */
function weightPlaces({ outChannels, inChannelsPerGroup, taps }: ConvProblem, strides: WeightStrides): Uint32Array {
  const places = new Uint32Array(outChannels * inChannelsPerGroup * taps);
  let next = 0;
  for (let o = 0; o < outChannels; o++) {
    for (let i = 0; i < inChannelsPerGroup; i++) {
      for (let t = 0; t < taps; t++) places[next++] = o * strides.out + i * strides.in + t * strides.tap;
    }
  }
  return places;
}

function gather(values: ArrayLike<number>, places: Uint32Array): Float64Array {
  return Float64Array.from(places, (place) => values[place]);
}

function scatter(values: Float64Array, places: Uint32Array): Float64Array {
  const result = new Float64Array(values.length);
  places.forEach((place, i) => (result[place] = values[i]));
  return result;
}

/** The padded extents, and for each position of the padded volume the input position that it copies. */
function paddedVolume({ input, padBegin, padEnd, paddingMode }: ConvProblem): { extents: Triple; sources: Int32Array } {
  const along = input.map((size, axis) => {
    const padded = size + padBegin[axis] + padEnd[axis];
    return Array.from({ length: padded }, (_, i) => paddedSource(i - padBegin[axis], size, paddingMode));
  });
  const [depths, heights, widths] = along;
  const sources = new Int32Array(depths.length * heights.length * widths.length);
  let next = 0;
  for (const d of depths)
    for (const h of heights) for (const w of widths) sources[next++] = (d * input[1] + h) * input[2] + w;
  return { extents: [depths.length, heights.length, widths.length], sources };
}

function padPlanes(x: Float64Array, positions: number, sources: Int32Array): Float64Array {
  const planes = x.length / positions;
  const result = new Float64Array(planes * sources.length);
  for (let plane = 0; plane < planes; plane++) {
    sources.forEach((source, i) => (result[plane * sources.length + i] = x[plane * positions + source]));
  }
  return result;
}
