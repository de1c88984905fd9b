/** Parts of tensors as tensors: windows on their memory. */
import { memoryOf, type Part, type TensorStorage } from "../../backend/backend.js";
import { BYTES_PER_ELEMENT } from "../../problem/dtype.js";
import { product } from "../../problem/geometry.js";
import { viewOf } from "./bufferPool.js";
import { bytesOfValues, type GpuStorage } from "./storage.js";

/** What is known of the memory is known once: a part has no error, version or owner of its own. */
const SHARED = ["error", "unsubmitted", "released", "version", "exposed", "finite"] as const;

/** A part of a device's storage. New values for it leave the whole's error: what lies beside it still has no values. */
export function partOf(given: TensorStorage, { begin, shape }: Part): TensorStorage {
  const storage = given as GpuStorage;
  const whole = memoryOf(storage);
  const { dtype, pooled } = whole;
  const size = product(shape);
  if (size === storage.size) return storage;
  const first = (storage.begin ?? 0) + begin;
  const bytes = bytesOfValues(size, dtype);
  const offset = first * BYTES_PER_ELEMENT[dtype];
  // The last one ends where the buffer does: kernels bind vectors, and it may be less than one.
  const bound = first + size === whole.size ? pooled.bytes - offset : bytes;
  const part = { ...whole, pooled: viewOf(pooled, offset, bound), shape, size, bytes, whole, begin: first };
  for (const key of SHARED) {
    Object.defineProperty(part, key, {
      enumerable: true,
      get: () => whole[key],
      set(value: unknown) {
        const kept = (key === "error" && value === undefined) || (key === "finite" && value === true);
        if (!kept) Object.assign(whole, { [key]: value });
      },
    });
  }
  return part;
}
