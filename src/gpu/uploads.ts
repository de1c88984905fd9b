/** Values and images on their way to the device. */
import { DeviceError } from "../base/errors.js";
import type { DType, StoredValues } from "../problem/dtype.js";
import type { ImageSize, ImageSource, Pixels } from "../problem/pixels.js";
import { failStorage, type GpuStorage } from "./storage.js";
import { writeImage } from "./images.js";
import type { DeviceParts } from "./parts.js";

const WORD_BYTES = 4;

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
  // They may be the caller's own, and must not change before the buffer has arrived.
  pool.write(storage.pooled, storage.pooled.arriving ? values.slice() : values);
  return storage;
}

/** Writes images of one size behind each other. Submits that at once. */
export function uploadImages(
  { device, life, memory, recorder, labels }: DeviceParts,
  images: readonly ImageSource[],
  size: ImageSize,
  pixels: Pixels,
): GpuStorage {
  life.require();
  const words = memory.allocate([images.length, pixels.positions], "float32", "host");
  const storage: GpuStorage = { ...words, pixels };
  labels?.nameUploaded(storage);
  const { pooled } = storage;
  const { buffer, arriving } = pooled;
  const imageBytes = WORD_BYTES * pixels.positions;
  pooled.pendingWrite = undefined;
  try {
    recorder.writeNow(storage, () => {
      images.forEach((image, i) => writeImage(device, image, size, buffer, i * imageBytes));
    });
  } catch (error) {
    memory.release(pooled);
    throw error;
  }
  // The source may be gone by the time that a buffer is made once more.
  void arriving?.then(() => {
    if (pooled.buffer !== buffer) failStorage(storage, new DeviceError("out of memory for an image"));
  });
  return storage;
}
