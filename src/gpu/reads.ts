/** Reads of tensors: their values, or how many of them are infinite or NaN. */
import { countSpecials, type SpecialValues } from "../backend/backend.js";
import type { DeviceError } from "../base/errors.js";
import type { SolverPlan } from "../planning/solver.js";
import { decode } from "../problem/dtype.js";
import { decodePixels } from "../problem/pixels.js";
import { COUNT_WORDS, planSpecials, readSpecials } from "./countSpecials.js";
import type { DeviceParts } from "./parts.js";
import type { Staging } from "./readback.js";
import { type GpuStorage, requireReadable } from "./storage.js";

export async function readValues(parts: DeviceParts, source: GpuStorage): Promise<Float32Array<ArrayBuffer>> {
  requireReadable(source);
  parts.life.require();
  if (source.size === 0) return new Float32Array(0);
  const bytes = await readBytes(parts, source);
  if (source.pixels) return decodePixels(new Uint8Array(bytes), source.pixels);
  return decode(bytes, source.size, source.dtype);
}

/**
 * Counts on the device: only the counts are copied to the host.
 *
 * @param release gives a storage back
 */
export async function countOnDevice(
  parts: DeviceParts,
  storage: GpuStorage,
  release: (storage: GpuStorage) => void,
): Promise<SpecialValues> {
  const { life, recorder, memory, pool, plans, labels, capabilities } = parts;
  life.require();
  // Pixels are bytes, which are finite. Only their normalisation can make special values.
  if (storage.pixels || storage.size === 0) return countSpecials(await readValues(parts, storage));
  const { pooled, size, dtype } = storage;
  recorder.requireUsable(storage);
  const makePlan = (): SolverPlan => planSpecials(size, dtype, capabilities);
  const label = labels && (() => `check of ${String(size)} values in ${dtype}`);
  const prepared = plans.get(`specials ${dtype} ${String(size)}`, makePlan, label);
  const counts = memory.allocate([COUNT_WORDS], "float32", "host");
  pool.write(counts.pooled, new Uint32Array(COUNT_WORDS));
  const dispatches = prepared.bind({ x: pooled, y: counts.pooled });
  recorder.record({ dispatches, reads: [storage], writes: [counts], label: prepared.label });
  const bytes = readBytes(parts, counts);
  release(counts);
  return readSpecials(await bytes, dtype);
}

/** The bytes of a storage, once the work that computes them is done. */
async function readBytes({ life, recorder, readback }: DeviceParts, source: GpuStorage): Promise<ArrayBuffer> {
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
    recorder.requireUsable(source);
    const staging = readback.acquire(source.bytes);
    const outcome = copyTo(staging);
    await recorder.flush();
    life.require();
    const taking = readback.take(staging, source.bytes);
    // Mapping may fail as well, and the error of the copy is then the one to throw.
    taking.catch(() => undefined);
    const error = await outcome;
    if (error) throw error;
    return await taking;
  });
}
