/** Uploads of images, and reads of the values that they stand for. */
import { DeviceError } from "../base/errors.js";
import { decodePixels } from "../problem/images.js";
import type { ImageSize, ImageSource, Pixels } from "../problem/pixels.js";
import { writeImage } from "./images.js";
import type { DeviceParts } from "./parts.js";
import { readBytes } from "./reads.js";
import { failStorage, type GpuStorage } from "./device/storage.js";

const WORD_BYTES = 4;

/** Writes images of one size one after the other. Submits that at once. */
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
  // Where the buffer was made once more, the source may be gone already.
  void arriving?.then(() => {
    if (pooled.buffer !== buffer) failStorage(storage, new DeviceError("out of memory for an image"));
  });
  return storage;
}

export async function readPixels(
  parts: DeviceParts,
  source: GpuStorage,
  pixels: Pixels,
): Promise<Float32Array<ArrayBuffer>> {
  return decodePixels(new Uint8Array(await readBytes(parts, source)), pixels);
}
