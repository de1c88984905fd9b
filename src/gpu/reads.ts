/** Reads of tensors. */
import type { DeviceError } from "../base/errors.js";
import type { Wait } from "../backend/wait.js";
import { decode } from "../problem/dtype.js";
import type { DeviceParts } from "./parts.js";
import type { Staging } from "./device/readback.js";
import type { GpuStorage } from "./device/storage.js";

/** The values of a storage that is no image. */
export async function readValues(
  parts: DeviceParts,
  source: GpuStorage,
  wait?: Wait,
): Promise<Float32Array<ArrayBuffer>> {
  return decode(await readBytes(parts, source, wait), source.size, source.dtype);
}

/** The bytes of a storage, once the work that computes them is done. */
export async function readBytes(
  { life, recorder, readback }: DeviceParts,
  source: GpuStorage,
  wait?: Wait,
): Promise<ArrayBuffer> {
  const copyTo = (staging: Staging): Promise<DeviceError | undefined> => {
    try {
      return recorder.copy(source, staging);
    } catch (error) {
      readback.release(staging);
      throw error;
    }
  };
  return await life.guard(async () => {
    life.require();
    if (source.size === 0) return new ArrayBuffer(0);
    recorder.requireUsable(source);
    const staging = readback.acquire(source.bytes);
    const outcome = copyTo(staging);
    await recorder.flush(undefined, wait && { wait, read: { source, target: staging } });
    life.require();
    const taking = readback.take(staging, source.bytes);
    // Where mapping fails as well, the error of the copy is the one to throw.
    taking.catch(() => undefined);
    const error = await outcome;
    if (error) throw error;
    return await taking;
  });
}
