/** Kernels that show what a device can do at best, and their times. In Node and in pages: their text is handed in. */
import type { Engine } from "webgpu-conv";
import { DeviceClock } from "./deviceClock.js";
import { measure, type MeasureOptions } from "./measure.js";

const WORKGROUP_THREADS = 64;
const FMA_LOOPS = 256;
const FLOPS_A_LOOP = 2 * 16 * 2;
/** Enough threads to fill the widest device; a software one has no use for so many. */
const FMA_THREADS = { software: 2 ** 12, gpu: 2 ** 19 };
/** Long samples: where the device has no clock, the host's times them, and what a submission costs is then lost in them. */
const MEASURE = { samples: 5, leastSampleMs: 60, mostRepeats: 1000 };

/** A kernel ready to run: what one dispatch of it needs. */
export interface CeilingKernel {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly workgroups: readonly [number, number];
}

/**
 * The device's peak of f32 multiply-adds, two FLOPs each, in 10^9 a second: the best sample counts.
 *
 * @param code of fma_peak.wgsl
 * @param between as the measurer's
 */
export async function measureFmaPeak(
  engine: Engine,
  device: GPUDevice,
  code: string,
  between?: MeasureOptions["between"],
): Promise<number> {
  const threads = FMA_THREADS[engine.adapter.software ? "software" : "gpu"];
  const parameters = device.createBuffer({ size: 16, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
  const result = storageBuffer(device, 4 * threads);
  try {
    device.queue.writeBuffer(parameters, 0, new Uint32Array([FMA_LOOPS]));
    device.queue.writeBuffer(parameters, 4, new Float32Array([0.999, 0.001]));
    const kernel = await makeKernel(device, code, [parameters, result], threads);
    const milliseconds = await bestMilliseconds(engine, device, kernel, between);
    return (threads * FMA_LOOPS * FLOPS_A_LOOP) / milliseconds / 1e6;
  } finally {
    parameters.destroy();
    result.destroy();
  }
}

export const powerOfTwoWithin = (limit: number): number => 2 ** Math.floor(Math.log2(limit));

export function storageBuffer(device: GPUDevice, size: number): GPUBuffer {
  return device.createBuffer({ size, usage: GPUBufferUsage.STORAGE });
}

/** @param threads a power of two, at least a workgroup */
export async function makeKernel(
  device: GPUDevice,
  code: string,
  buffers: readonly GPUBuffer[],
  threads: number,
): Promise<CeilingKernel> {
  const module = device.createShaderModule({ code });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const bindGroup = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const workgroups = threads / WORKGROUP_THREADS;
  const x = Math.min(workgroups, powerOfTwoWithin(device.limits.maxComputeWorkgroupsPerDimension));
  return { pipeline, bindGroup, workgroups: [x, workgroups / x] };
}

/** By the device's clock, where it has one: Firefox tells no sooner than a tenth of a second later that work is done. */
export async function bestMilliseconds(
  engine: Engine,
  device: GPUDevice,
  kernel: CeilingKernel,
  between?: MeasureOptions["between"],
): Promise<number> {
  using clock = DeviceClock.of(device);
  const time = async (repeats: number): Promise<number> => {
    const start = performance.now();
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass(clock?.pass);
    pass.setPipeline(kernel.pipeline);
    pass.setBindGroup(0, kernel.bindGroup);
    for (let i = 0; i < repeats; i++) pass.dispatchWorkgroups(...kernel.workgroups);
    pass.end();
    clock?.resolve(encoder);
    device.queue.submit([encoder.finish()]);
    // Waits for the queue, and throws what the device reported: a kernel that did not run must not look fast.
    await engine.finish();
    const onHost = performance.now() - start;
    const onDevice = (await clock?.read()) ?? 0;
    return onDevice > 0 ? onDevice : onHost;
  };
  return (await measure(time, { ...MEASURE, ...(between && { between }) })).bestMs;
}
