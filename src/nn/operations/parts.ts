/** Parts of a tensor along an axis: views of it where its memory allows that, and copies elsewhere. */
import { BYTES_PER_ELEMENT } from "../../problem/dtype.js";
import { product } from "../../problem/geometry.js";
import type { TensorSpec } from "../../planning/tensorOperation.js";
import type { Tensor } from "../../tensor/tensor.js";
import { partOf } from "../../gpu/device/storagePart.js";
import { contextOf } from "../core/operation.js";

/** The largest minStorageBufferOffsetAlignment that a device may have: what is a view on one is so on every one. */
const BEGIN_BYTES = 256;
/** Kernels write vectors of at most so many bytes: one that writes a part leaves what lies behind it alone. */
const END_BYTES = 16;

/** A part along an axis: of `extent`, after so many others. */
export interface PartAlong {
  readonly before: number;
  readonly extent: number;
}

/** Whether a part of a tensor lies together in it, and begins and ends where a binding may. */
export function canView({ shape, dtype }: TensorSpec, axis: number, { before, extent }: PartAlong): boolean {
  const inner = product(shape.slice(axis + 1)) * BYTES_PER_ELEMENT[dtype];
  const end = before + extent;
  return (
    (product(shape.slice(0, axis)) === 1 || extent === shape[axis]) &&
    extent * inner > 0 &&
    (before * inner) % BEGIN_BYTES === 0 &&
    ((end * inner) % END_BYTES === 0 || end === shape[axis])
  );
}

/** That part, on the memory of `x`. */
export function viewPart(x: Tensor, axis: number, { before, extent }: PartAlong, name: string): Tensor {
  const context = contextOf(x, "x");
  const shape = x.shape.map((other, i) => (i === axis ? extent : other));
  const begin = before * product(x.shape.slice(axis + 1));
  const part = { begin, shape, name, onDevice: partOf };
  return context.share(shape, context.requireLive().backend.view(context.storageOf(x), part));
}
