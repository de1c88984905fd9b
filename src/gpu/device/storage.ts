/** Memory of tensors on the device, and whether their values are there. */
import type { TensorStorage } from "../../backend/backend.js";
import { DeviceError, show, TensorError } from "../../base/errors.js";
import { BYTES_PER_ELEMENT, type DType, type StoredValues } from "../../problem/dtype.js";
import { product } from "../../problem/geometry.js";
import type { Pixels } from "../../problem/pixels.js";
import type { PooledBuffer } from "./bufferPool.js";

/** Memory of a tensor on the device. */
export interface GpuStorage extends TensorStorage {
  readonly pooled: PooledBuffer;
  /** Extents of the tensor, for messages. */
  readonly shape: readonly number[];
  /** Bytes of the values in whole 32-bit words, at most those of the buffer. */
  readonly bytes: number;
  /** Why there are no values: the work that computes them failed. */
  error: DeviceError | undefined;
  readonly pixels: Pixels | undefined;
  /** The batch that computes the values, of a caller's encoder or a sequence, until it was submitted or has run. */
  unsubmitted: object | undefined;
  /** Whether the tensor was disposed of. The memory may then serve others. */
  released: boolean;
  /** How often the values were replaced. */
  version: number;
  /** Whether the caller has the buffer, and may change the values unseen. */
  exposed: boolean;
  /** Whether the host wrote the values, and saw that all are finite; or they were made of such as are. */
  finite: boolean;
  /** Whether the memory is kept as a form of other tensors (recording/packedWeights.ts), whoever gives it back. */
  kept: boolean;
  readonly whole?: GpuStorage;
}

const WORD_BYTES = 4;

/** Bytes of values in whole 32-bit words. */
export const bytesOfValues = (size: number, dtype: DType): number =>
  WORD_BYTES * Math.ceil((size * BYTES_PER_ELEMENT[dtype]) / WORD_BYTES);

/** A storage for values of that shape in `pooled`. */
export function makeStorage(pooled: PooledBuffer, dtype: DType, shape: readonly number[]): GpuStorage {
  const size = product(shape);
  return {
    pooled,
    dtype,
    shape,
    size,
    bytes: bytesOfValues(size, dtype),
    error: undefined,
    pixels: undefined,
    unsubmitted: undefined,
    released: false,
    version: 0,
    exposed: pooled.borrowed,
    finite: false,
    kept: false,
  };
}

/** More values than weights have are not looked at. */
const MOST_LOOKED_AT = 2 ** 22;

/** Whether all values are finite, by their bits: adding 1 to an exponent of ones reaches the sign. False for very many. */
export function areFinite(values: StoredValues): boolean {
  const { buffer, byteOffset, length } = values;
  if (length > MOST_LOOKED_AT) return false;
  let carried = 0;
  if (values instanceof Float32Array) {
    for (const bits of new Int32Array(buffer, byteOffset, length)) carried |= (bits & 0x7fffffff) + 0x800000;
    return carried >= 0;
  }
  for (const bits of values) carried |= (bits & 0x7fff) + 0x400;
  return carried < 0x8000;
}

/** Whether values are finite for certain when what is recorded next reads them. */
export const isKnownFinite = ({ finite, exposed }: GpuStorage): boolean => finite && !exposed;

/** Why a storage has no values: the work that computes them failed, or there was no memory. */
export function errorOf(storage: GpuStorage): DeviceError | undefined {
  const { error, pooled } = storage;
  if (error) return error;
  return pooled.error && memoryError(`a tensor of shape ${show([...storage.shape])} in ${storage.dtype}`, pooled.error);
}

export const memoryError = (what: string, cause: DeviceError): DeviceError =>
  new DeviceError(`${what}: ${cause.message}`, { cause });

export function failStorage(storage: GpuStorage, error: DeviceError): void {
  storage.error = error;
  storage.unsubmitted = undefined;
}

/** Throws if the values cannot be copied out of a caller's buffer. */
export const requireReadable = ({ pooled }: GpuStorage, what = "reading back"): void =>
  requireUsage(pooled, what, "COPY_SRC");

/** Throws if the host cannot write into a caller's buffer. */
export const requireWritable = ({ pooled }: GpuStorage): void => requireUsage(pooled, "writing", "COPY_DST");

function requireUsage({ borrowed, buffer }: GpuStorage["pooled"], what: string, name: "COPY_SRC" | "COPY_DST"): void {
  const flag = GPUBufferUsage[name];
  if (!borrowed || (buffer.usage & flag) !== 0) return;
  throw new TensorError(
    `the wrapped buffer's usage is ${String(buffer.usage)}; ${what} expects it to have GPUBufferUsage.${name} = ${String(flag)}`,
  );
}
