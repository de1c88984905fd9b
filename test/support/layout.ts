/** Tensor layouts by name, one letter an axis, and the host's permutation between them. */

import type { NumberArray } from "webgpu-conv";

/** Values in row-major order of `shape`. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: readonly number[] | NumberArray;
}

/**
 * Moves values from one order of axes to another.
 *
 * @param from order of the axes now, such as "nhwc"
 * @param to order wanted, the same letters
 */
export function permute(tensor: HostTensor, from: string, to: string): HostTensor {
  const sourceAxis = Array.from(to, (axis) => from.indexOf(axis));
  if (from.length !== tensor.shape.length || [...sourceAxis].sort().some((axis, i) => axis !== i))
    throw new Error(`cannot permute ${from} of rank ${String(tensor.shape.length)} to ${to}`);
  const sourceStrides = rowMajorStrides(tensor.shape);
  const shape = sourceAxis.map((axis) => tensor.shape[axis]);
  const strides = rowMajorStrides(shape);
  const data = Array.from<number, number>(tensor.data, (_, index) => {
    const offsets = shape.map((extent, i) => (Math.floor(index / strides[i]) % extent) * sourceStrides[sourceAxis[i]]);
    return tensor.data[offsets.reduce((sum, offset) => sum + offset, 0)];
  });
  return { shape, data };
}

function rowMajorStrides(shape: readonly number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((elements, extent) => elements * extent, 1));
}
