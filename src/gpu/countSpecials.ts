/** Counts infinities and NaNs in a tensor, on the device (shaders/passes/count_specials.wgsl). */
import kernel from "../../shaders/passes/count_specials.wgsl";
import { cutGrid } from "../planning/parts.js";
import type { DType } from "../problem/dtype.js";
import { fromHalfBits } from "../base/half.js";
import { dispatch, foldWorkgroups, type SolverPlan } from "../planning/solver.js";
import type { SpecialValues } from "../backend/backend.js";
import type { Capabilities } from "../planning/capabilities.js";
import type { DeviceParts } from "./parts.js";
import { readBytes } from "./reads.js";
import { viewOf } from "./device/bufferPool.js";
import { bytesOfValues, type GpuStorage } from "./device/storage.js";

/** Words that a workgroup counts: the kernel's THREADS * TURNS. */
const WORDS_PER_WORKGROUP = 64 * 16;

const WORD_BYTES = 4;
/** Parts that are bound begin at multiples of this: more than any device asks for. */
const PART_BYTES = 1024;

/** Size of the counts, in 32-bit words. */
const COUNT_WORDS = 3;

/** Plans the count: the tensor is bound as "x", the counts as "y". */
function planSpecials(size: number, dtype: DType, capabilities: Capabilities): SolverPlan {
  const half = dtype === "float16";
  const words = half ? Math.ceil(size / 2) : size;
  const step = dispatch(kernel, {
    constants: { HALF: half },
    types: {},
    uniforms: { elements: size, words },
    bindings: { source: "x", counts: "y" },
    workgroups: foldWorkgroups(Math.ceil(words / WORDS_PER_WORKGROUP), capabilities),
  });
  const dispatches = cutGrid(step, Infinity, capabilities.limits.maxComputeWorkgroupsPerDimension);
  return { solver: "count-specials", config: {}, dispatches, scratchBytes: {} };
}

function readSpecials(counts: ArrayBuffer, dtype: DType): SpecialValues {
  const [infinite, nan, bits] = new Uint32Array(counts);
  const largest = dtype === "float16" ? fromHalfBits(bits) : new Float32Array(counts)[2];
  return { infinite, nan, largest };
}

/**
 * Counts on the device. Only the counts are copied to the host. The storage must be neither empty nor an image.
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
  const { pooled, size, dtype } = storage;
  recorder.requireUsable(storage);
  const counts = memory.allocate([COUNT_WORDS], "float32", "host");
  pool.write(counts.pooled, new Uint32Array(COUNT_WORDS));
  // Larger tensors are bound part by part.
  const perWord = dtype === "float16" ? 2 : 1;
  const most =
    Math.floor(capabilities.limits.maxStorageBufferBindingSize / PART_BYTES) * (PART_BYTES / WORD_BYTES) * perWord;
  for (let first = 0; first < size; first += most) {
    const elements = Math.min(most, size - first);
    const x = size <= most ? pooled : viewOf(pooled, (first / perWord) * WORD_BYTES, bytesOfValues(elements, dtype));
    const makePlan = (): SolverPlan => planSpecials(elements, dtype, capabilities);
    const label = labels && (() => `check of ${String(elements)} values in ${dtype}`);
    const prepared = plans.get(`specials ${dtype} ${String(elements)}`, makePlan, () => () => undefined, label);
    const dispatches = prepared.bind({ x, y: counts.pooled });
    const reads = first > 0 ? [storage, counts] : [storage];
    recorder.record({ dispatches, reads, writes: [counts], label: prepared.label });
  }
  const bytes = readBytes(parts, counts);
  release(counts);
  return readSpecials(await bytes, dtype);
}
