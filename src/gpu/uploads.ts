/** Uploads of values to the device. */
import type { DType, StoredValues } from "../problem/dtype.js";
import type { DeviceParts } from "./parts.js";
import { areFinite, type GpuStorage } from "./device/storage.js";

export function uploadValues(
  { life, memory, pool, labels }: DeviceParts,
  values: StoredValues,
  shape: readonly number[],
  dtype: DType,
): GpuStorage {
  life.require();
  const storage = memory.allocate(shape, dtype, "host");
  labels?.nameUploaded(storage);
  // An empty batch has no values, and Deno panics at an empty write.
  if (values.length === 0) return storage;
  // The array may be the caller's. Its values must not change before the buffer has arrived.
  storage.finite = areFinite(values);
  pool.write(storage.pooled, storage.pooled.arriving ? values.slice() : values);
  return storage;
}
