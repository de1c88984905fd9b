/** Writes tensors into parts of another, in place. */
import { named, type TensorOperation } from "../../planning/tensorOperation.js";
import type { Tensor } from "../../tensor/tensor.js";
import { makeOperation, runOperation } from "../core/operation.js";
import { copySlice, copySliceOnHost, type Slice } from "../operations/copySlice.js";

/** A tensor of float32, and where its elements go, one after the other. */
export interface Part {
  readonly tensor: Tensor;
  readonly place: number;
}

export function writeSlices(whole: Tensor, parts: readonly Part[]): void {
  const given = parts.map(({ tensor, place }) => ({ shape: tensor.shape, size: tensor.size, place }));
  const operands = Object.fromEntries(parts.map(({ tensor }, i) => [partName(i), tensor]));
  runOperation(writeSlicesOperation(whole.size, given), { whole, ...operands });
}

const partName = (i: number): string => `part${String(i)}`;

function writeSlicesOperation(
  size: number,
  parts: readonly { readonly shape: readonly number[]; readonly size: number; readonly place: number }[],
): TensorOperation {
  const slices = parts.map((part): Slice => {
    return { run: part.size, count: 1, source: { step: 0, offset: 0 }, result: { step: 0, offset: part.place } };
  });
  const operands = parts.map(({ shape }, i) => [partName(i), { shape, dtype: "float32" }] as const);
  return makeOperation({
    name: "writeSlices",
    options: { places: parts.map(({ place }) => place) },
    operands: { whole: { shape: [size], dtype: "float32" }, ...Object.fromEntries(operands) },
    results: {},
    updates: ["whole"],
    solvers: [
      {
        name: "copy",
        plan: (capabilities) => ({
          dispatches: slices.map((slice, i) => {
            return copySlice(slice, { source: named(partName(i)), result: named("whole") }, "float32", capabilities);
          }),
          scratchBytes: {},
        }),
      },
    ],
    compute(values) {
      const whole = Float64Array.from(values.whole);
      for (const [i, slice] of slices.entries()) copySliceOnHost(slice, values[partName(i)], whole);
      return { whole };
    },
  });
}
