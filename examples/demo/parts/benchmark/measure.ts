/** One layer, all passes: timed on the device and by the reference in a worker, which also checks the results. */
import type { Engine, Timing } from "webgpu-conv";
import { makeProblem } from "webgpu-conv/reference";
import { measureFmaPeak } from "../../../benchmark/ceilingKernel.js";
import peakKernel from "../../../benchmark/fma_peak.wgsl?raw";
import { measure } from "../../../benchmark/measure.js";
import { type Pass, PASSES } from "../../../benchmark/passes.js";
import type { Checked } from "../../reference/jobs.js";
import { Reference } from "../../reference/reference.js";
import type { TaskControls } from "../../shell/useTask.js";
import { deviceSamples } from "../deviceSamples.js";
import { type NamedLayer, PASS_NAMES } from "./job.js";
import { LayerTensors } from "./layerTensors.js";

export interface Speed {
  /** The median of the rounds, of one run. */
  readonly milliseconds: number;
  readonly gflops: number;
  /** Rounds that were timed, in one run's milliseconds. */
  readonly samplesMs: readonly number[];
  /** Runs a round. */
  readonly repeats: number;
}

/** A pass on the device. */
export interface DeviceResult extends Checked, Speed {
  readonly solver: string;
  readonly clock: Timing["clock"];
}

export interface PassResult {
  readonly name: Pass;
  /** The CPU reference. */
  readonly reference: Speed;
  /** Absent where the page has no device. */
  readonly device: DeviceResult | undefined;
}

export interface Results {
  readonly layer: NamedLayer;
  readonly adapter: string;
  /** Of the device's float32 multiply-adds, in GFLOP/s, measured; undefined where there is no device. */
  readonly peak: number | undefined;
  /** That were asked for. */
  readonly rounds: number;
  /** Device memory of the layer's tensors while its passes ran, in bytes. */
  readonly bytes: number;
  readonly passes: readonly PassResult[];
}

/** @throws ArgumentError for a layer that cannot be. */
export function requireLayer({ input, weight, options }: NamedLayer): void {
  makeProblem(2, input, weight, options);
}

/** What the device could do at best: to be measured once. */
export async function measurePeak({ device, engine }: { device: GPUDevice; engine: Engine }, controls: TaskControls) {
  controls.report(0, "the device's peak");
  return await measureFmaPeak(engine, device, peakKernel, async () => await controls.pause());
}

type Measured<Result extends Speed> = Omit<Result, "gflops">;

/** A pass on the device: its result, what the reference says of it, and its times. */
async function measureOnDevice(
  engine: Engine,
  tensors: LayerTensors,
  pass: Pass,
  options: {
    readonly layer: NamedLayer;
    readonly rounds: number;
    readonly reference: Reference;
    /** Before each run, and before the result is checked; rejects once the work is cancelled. */
    between(this: void, done: number, note: string): Promise<void>;
  },
): Promise<Measured<DeviceResult> & { readonly bytes: number }> {
  const { layer, rounds, reference, between } = options;
  // Before it is timed, since this compiles it.
  using result = tensors.run(pass);
  const actual = await result.data();
  const bytes = engine.memory().liveBytes;
  const { solver, config, heldBytes } = tensors.explain(pass);
  await between(0, "checked by the reference, in a worker");
  const tile = solver === "winograd" ? (config.tile === 2 ? 2 : 4) : undefined;
  const checked = await reference.ask("check", { pass, layer, ...tensors.values, actual, tile });
  const clocks: Timing["clock"][] = [];
  const time = async (repeats: number): Promise<number> => {
    const timing = await engine.time(() => {
      for (let i = 0; i < repeats; i++) tensors.run(pass).dispose();
    });
    clocks.push(timing.clock);
    return timing.milliseconds;
  };
  const { medianMs, samplesMs, repeats } = await measure(time, {
    ...deviceSamples(heldBytes),
    samples: rounds,
    between: async (done) => await between(done, `round ${String(Math.round(done * rounds))} of ${String(rounds)}`),
  });
  // Of the warming up, the device's clock may have seen nothing, for the shortness of it.
  const clock = clocks.slice(-samplesMs.length).includes("wall-clock") ? "wall-clock" : "timestamp";
  return { ...checked, solver, clock, milliseconds: medianMs, samplesMs, repeats, bytes };
}

/**
 * @param device the engine's, and its peak; without one the reference alone is timed
 * @throws ArgumentError for a layer that cannot be; whatever aborted the task.
 */
export async function measureLayer(
  { engine, peak }: { readonly engine: Engine; readonly peak: number | undefined },
  layer: NamedLayer,
  rounds: number,
  { signal, report, pause }: TaskControls,
): Promise<Results> {
  const { multiplyAdds } = makeProblem(2, layer.input, layer.weight, layer.options);
  const withSpeed = <Result extends Measured<Speed>>(measured: Result): Result & Pick<Speed, "gflops"> => ({
    ...measured,
    gflops: (2 * multiplyAdds) / measured.milliseconds / 1e6,
  });
  using tensors = peak === undefined ? undefined : new LayerTensors(engine, layer);
  using reference = new Reference(signal);
  const passes: PassResult[] = [];
  let bytes = 0;
  for (const [i, name] of PASSES.entries()) {
    const between = async (done: number, note: string): Promise<void> => {
      report((i + done) / PASSES.length, `${PASS_NAMES[name]}: ${note}`);
      await pause();
    };
    await between(0, "the reference, in a worker");
    const { medianMs, samplesMs, repeats } = await reference.time(layer, [name], rounds);
    let device: DeviceResult | undefined;
    if (tensors) {
      const withinPass = async (done: number, note: string): Promise<void> => await between(0.3 + 0.7 * done, note);
      const options = { layer, rounds, reference, between: withinPass };
      const { bytes: used, ...measured } = await measureOnDevice(engine, tensors, name, options);
      device = withSpeed(measured);
      bytes = Math.max(bytes, used);
    }
    passes.push({ name, reference: withSpeed({ milliseconds: medianMs, samplesMs, repeats }), device });
  }
  return { layer, adapter: engine.adapter.description, peak, rounds, bytes, passes };
}
