/** Tensors of float32 that lie in parts of another: written there, in place, and read from there. */
import { named, type Resize, type TensorOperation } from "../../planning/tensorOperation.js";
import { product } from "../../problem/geometry.js";
import type { Tensor } from "../../tensor/tensor.js";
import { makeOperation, runOperation } from "../core/operation.js";
import { copySlice, copySliceOnHost, type Slice } from "../operations/copySlice.js";

/** A shape, and where its elements lie, one after the other. */
export interface Place {
  readonly shape: readonly number[];
  readonly place: number;
}

/** A tensor of float32, and where its elements go. */
export interface Part {
  readonly tensor: Tensor;
  readonly place: number;
}

export function writeSlices(whole: Tensor, parts: readonly Part[]): void {
  const places = parts.map(({ tensor: { shape }, place }) => ({ shape, place }));
  const operands = Object.fromEntries(parts.map(({ tensor }, i) => [partName(i), tensor]));
  runOperation(writeOperation(whole.size, places), { whole, ...operands });
}

/** New tensors with what lies there. */
export const readSlices = (whole: Tensor, places: readonly Place[]): Tensor[] =>
  runOperation(readOperation(whole.size, places), { whole });

const partName = (i: number): string => `part${String(i)}`;

/** The size of a tensor, and places in it, one after the other. */
function resizedPlaces(places: readonly Place[], to: Resize): [size: number, places: readonly Place[]] {
  let size = 0;
  const smaller = places.map((one) => {
    const shape = one.shape.map((extent) => to(extent));
    size += product(shape);
    return { shape, place: size - product(shape) };
  });
  return [size, smaller];
}

/** What both operations have. */
function partsOf(size: number, places: readonly Place[]) {
  return {
    options: { places: places.map(({ place }) => place) },
    whole: { shape: [size], dtype: "float32" },
    parts: Object.fromEntries(places.map(({ shape }, i) => [partName(i), { shape, dtype: "float32" }] as const)),
  } as const;
}

/** A part's elements from an offset in one tensor to an offset in the other. */
const sliceOf = (shape: readonly number[], from: number, to: number): Slice => ({
  run: product(shape),
  count: 1,
  source: { step: 0, offset: from },
  result: { step: 0, offset: to },
});

function writeOperation(size: number, places: readonly Place[]): TensorOperation {
  const { options, whole, parts } = partsOf(size, places);
  const slices = places.map(({ shape, place }) => sliceOf(shape, 0, place));
  return makeOperation({
    name: "writeSlices",
    options,
    operands: { whole, ...parts },
    results: {},
    updates: ["whole"],
    resized: (to) => writeOperation(...resizedPlaces(places, to)),
    solvers: [
      {
        name: "copy",
        plan: (capabilities) => ({
          dispatches: slices.map((slice, i) =>
            copySlice(slice, { source: named(partName(i)), result: named("whole") }, "float32", capabilities),
          ),
          scratchBytes: {},
        }),
      },
    ],
    compute(values) {
      const changed = Float64Array.from(values.whole);
      for (const [i, slice] of slices.entries()) copySliceOnHost(slice, values[partName(i)], changed);
      return { whole: changed };
    },
  });
}

function readOperation(size: number, places: readonly Place[]): TensorOperation {
  const { options, whole, parts } = partsOf(size, places);
  const slices = places.map(({ shape, place }) => sliceOf(shape, place, 0));
  return makeOperation({
    name: "readSlices",
    options,
    operands: { whole },
    results: parts,
    resized: (to) => readOperation(...resizedPlaces(places, to)),
    solvers: [
      {
        name: "copy",
        plan: (capabilities) => ({
          dispatches: slices.map((slice, i) =>
            copySlice(slice, { source: named("whole"), result: named(partName(i)) }, "float32", capabilities),
          ),
          scratchBytes: {},
        }),
      },
    ],
    compute: (values) =>
      Object.fromEntries(
        slices.map((slice, i) => {
          const part = new Float64Array(slice.run);
          copySliceOnHost(slice, values.whole, part);
          return [partName(i), part] as const;
        }),
      ),
  });
}
