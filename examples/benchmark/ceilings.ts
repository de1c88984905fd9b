/** What the device can do at best, measured with kernels made for nothing else. */
import { readFile } from "node:fs/promises";
import type { Engine } from "webgpu-conv";
import { measure } from "./measure.js";

export interface Ceilings {
  /** Peak of f32 multiply-adds, two FLOPs each, in 10^9 a second. */
  readonly gflops: number;
  /** Bytes read plus bytes written by a copy in device memory, in 10^9 a second. */
  readonly gigabytesPerSecond: number;
}

const WORKGROUP_THREADS = 64;
const FMA_LOOPS = 256;
const FLOPS_A_LOOP = 2 * 16 * 2;
/** Enough threads to fill the widest device; a software one has no use for so many. */
const FMA_THREADS = { software: 2 ** 12, gpu: 2 ** 19 };
/** Well above what caches hold. */
const COPY_BYTES = { software: 2 ** 26, gpu: 2 ** 28 };
const VECTOR_BYTES = 16;
/** Long samples, since they are timed on the host's clock: what a submission costs is then lost in them. */
const MEASURE = { samples: 5, leastSampleMs: 60, mostRepeats: 1000 };

/** A kernel ready to run: what one dispatch of it needs. */
interface CeilingKernel {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly workgroups: readonly [number, number];
}

/** Measures both ceilings; the best sample counts. */
export async function measureCeilings(engine: Engine): Promise<Ceilings> {
  const { device } = engine;
  if (!device) throw new Error("the benchmark needs a WebGPU engine; this one has the CPU backend");
  const kind = engine.adapter.software ? "software" : "gpu";
  return {
    gflops: await measureFmaPeak(engine, device, FMA_THREADS[kind]),
    gigabytesPerSecond: await measureCopyBandwidth(engine, device, COPY_BYTES[kind]),
  };
}

async function measureFmaPeak(engine: Engine, device: GPUDevice, threads: number): Promise<number> {
  const parameters = device.createBuffer({ size: 16, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
  device.queue.writeBuffer(parameters, 0, new Uint32Array([FMA_LOOPS]));
  device.queue.writeBuffer(parameters, 4, new Float32Array([0.999, 0.001]));
  const result = storageBuffer(device, 4 * threads);
  const kernel = await makeKernel(device, "fma_peak.wgsl", [parameters, result], threads);
  const milliseconds = await bestMilliseconds(engine, device, kernel);
  parameters.destroy();
  result.destroy();
  return (threads * FMA_LOOPS * FLOPS_A_LOOP) / milliseconds / 1e6;
}

async function measureCopyBandwidth(engine: Engine, device: GPUDevice, wantedBytes: number): Promise<number> {
  const { maxStorageBufferBindingSize, maxBufferSize } = device.limits;
  const bytes = Math.min(wantedBytes, powerOfTwoWithin(Math.min(maxStorageBufferBindingSize, maxBufferSize)));
  const source = storageBuffer(device, bytes);
  const result = storageBuffer(device, bytes);
  const kernel = await makeKernel(device, "copy.wgsl", [source, result], bytes / VECTOR_BYTES);
  const milliseconds = await bestMilliseconds(engine, device, kernel);
  source.destroy();
  result.destroy();
  return (2 * bytes) / milliseconds / 1e6;
}

const powerOfTwoWithin = (limit: number): number => 2 ** Math.floor(Math.log2(limit));

function storageBuffer(device: GPUDevice, size: number): GPUBuffer {
  return device.createBuffer({ size, usage: GPUBufferUsage.STORAGE });
}

/** @param threads a power of two, at least a workgroup */
async function makeKernel(
  device: GPUDevice,
  file: string,
  buffers: readonly GPUBuffer[],
  threads: number,
): Promise<CeilingKernel> {
  const code = await readFile(new URL(file, import.meta.url), "utf8");
  const module = device.createShaderModule({ label: file, code });
  const pipeline = await device.createComputePipelineAsync({ label: file, layout: "auto", compute: { module } });
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const bindGroup = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const workgroups = threads / WORKGROUP_THREADS;
  const columns = Math.min(workgroups, powerOfTwoWithin(device.limits.maxComputeWorkgroupsPerDimension));
  return { pipeline, bindGroup, workgroups: [columns, workgroups / columns] };
}

async function bestMilliseconds(engine: Engine, device: GPUDevice, kernel: CeilingKernel): Promise<number> {
  const time = async (repeats: number): Promise<number> => {
    const start = performance.now();
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(kernel.pipeline);
    pass.setBindGroup(0, kernel.bindGroup);
    for (let i = 0; i < repeats; i++) pass.dispatchWorkgroups(...kernel.workgroups);
    pass.end();
    device.queue.submit([encoder.finish()]);
    // Waits for the queue, and throws what the device reported: a kernel that did not run must not look fast.
    await engine.finish();
    return performance.now() - start;
  };
  return (await measure(time, MEASURE)).bestMs;
}
