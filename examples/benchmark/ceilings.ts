/** What the device can do at best, measured with kernels made for nothing else. */
import { readFile } from "node:fs/promises";
import type { Engine } from "webgpu-conv";
import { bestMilliseconds, makeKernel, measureFmaPeak, powerOfTwoWithin, storageBuffer } from "./ceilingKernel.js";

export interface Ceilings {
  /** Peak of f32 multiply-adds, two FLOPs each, in 10^9 a second. */
  readonly gflops: number;
  /** Bytes read plus bytes written by a copy in device memory, in 10^9 a second. */
  readonly gigabytesPerSecond: number;
}

/** Well above what caches hold. */
const COPY_BYTES = { software: 2 ** 26, gpu: 2 ** 28 };
const VECTOR_BYTES = 16;

/** Measures both ceilings; the best sample counts. */
export async function measureCeilings(engine: Engine): Promise<Ceilings> {
  const { device } = engine;
  if (!device) throw new Error("the benchmark needs a WebGPU engine; this one has the CPU backend");
  const kind = engine.adapter.software ? "software" : "gpu";
  return {
    gflops: await measureFmaPeak(engine, device, await readKernel("fma_peak.wgsl")),
    gigabytesPerSecond: await measureCopyBandwidth(engine, device, COPY_BYTES[kind]),
  };
}

const readKernel = async (file: string): Promise<string> => await readFile(new URL(file, import.meta.url), "utf8");

async function measureCopyBandwidth(engine: Engine, device: GPUDevice, wantedBytes: number): Promise<number> {
  const { maxStorageBufferBindingSize, maxBufferSize } = device.limits;
  const bytes = Math.min(wantedBytes, powerOfTwoWithin(Math.min(maxStorageBufferBindingSize, maxBufferSize)));
  const source = storageBuffer(device, bytes);
  const result = storageBuffer(device, bytes);
  const kernel = await makeKernel(device, await readKernel("copy.wgsl"), [source, result], bytes / VECTOR_BYTES);
  const milliseconds = await bestMilliseconds(engine, device, kernel);
  source.destroy();
  result.destroy();
  return (2 * bytes) / milliseconds / 1e6;
}
