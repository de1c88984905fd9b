/** Measures how fast the engine and the reference are on one usual layer, and how long its kernels compile. */
import type { Engine } from "webgpu-conv";
import { referencePass } from "webgpu-conv/reference";
import { CALIBRATION, type DeviceSpeed } from "./costModel.js";
import type { Layer } from "./layers.js";
import { LayerRun } from "./layerRun.js";
import { PASSES } from "./passes.js";
import { measure } from "./measure.js";

/** The best sample counts: what the device can do. A machine that is busy with other things shows as lateness. */
const MEASURE = { samples: 3, leastSampleMs: 10, mostRepeats: 16 };
/** A GPU needs more than one sample of so small a layer to be busy. */
const BATCH = { software: 1, gpu: 64 };

export interface Calibration {
  readonly speed: DeviceSpeed;
  /** To compile the kernels of a layer's three passes. */
  readonly compileSeconds: number;
}

export async function calibrate(engine: Engine): Promise<Calibration> {
  const { software } = engine.adapter;
  const batch = software ? BATCH.software : BATCH.gpu;
  using run = new LayerRun(engine, calibrationLayer(), { batch, extent: CALIBRATION.extent });
  using single = new LayerRun(engine, calibrationLayer(), { batch: 1, extent: CALIBRATION.extent });
  let gpuMs = 0;
  let referenceMs = 0;
  let compileMs = 0;
  for (const pass of PASSES) {
    const first = performance.now();
    single.record(pass).dispose();
    await engine.finish();
    compileMs += performance.now() - first;
    run.record(pass).dispose();
    const time = async (repeats: number): Promise<number> => {
      const { milliseconds } = await engine.time(() => {
        for (let i = 0; i < repeats; i++) run.record(pass).dispose();
      });
      return milliseconds;
    };
    gpuMs += (await measure(time, MEASURE)).bestMs;
    const reference = (): Promise<number> => {
      const start = performance.now();
      referencePass(single.problem, pass, single.operands);
      return Promise.resolve(performance.now() - start);
    };
    referenceMs += (await measure(reference, { ...MEASURE, mostRepeats: 1 })).bestMs;
  }
  const flops = 2 * PASSES.length * single.problem.multiplyAdds;
  const gpuFlops = (batch * flops * 1000) / gpuMs;
  const referenceFlops = (flops * 1000) / referenceMs;
  return { speed: { software, gpuFlops, referenceFlops }, compileSeconds: compileMs / 1000 };
}

function calibrationLayer(): Layer {
  const { channels, kernel, extent } = CALIBRATION;
  const options = { stride: 1, padding: (kernel - 1) / 2, dilation: 1, groups: 1 };
  return {
    origin: "calibration",
    inChannels: channels,
    outChannels: channels,
    kernel,
    extent,
    batch: 1,
    options,
    quick: false,
  };
}
