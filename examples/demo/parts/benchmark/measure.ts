/** One layer, all passes: timed on the device and by the reference in a worker, which also checks the results. */
import type { Engine, Tensor } from "webgpu-conv";
import { makeProblem } from "webgpu-conv/reference";
import { OPERATIONS, type Pass, PASSES } from "../../../benchmark/passes.js";
import { randomValues } from "../../../benchmark/random.js";
import { median } from "../../../benchmark/statistics.js";
import { type Checked, type CheckJob, sizeOf } from "../../reference/jobs.js";
import { Reference } from "../../reference/reference.js";
import type { TaskControls } from "../../shell/useTask.js";
import { type NamedLayer, PASS_NAMES } from "./job.js";

/** A pass on the device. */
export interface DeviceResult extends Checked {
  readonly solver: string;
  /** The median, the quickest and the slowest. */
  readonly milliseconds: number;
  readonly spread: readonly [number, number];
  readonly gflops: number;
}

export interface PassResult {
  readonly name: Pass;
  /** The CPU reference. */
  readonly reference: { readonly milliseconds: number; readonly gflops: number };
  /** Absent where the page has no device. */
  readonly device: DeviceResult | undefined;
}

export interface Results {
  readonly layer: NamedLayer;
  readonly adapter: string;
  readonly rounds: number;
  /** Device memory of the layer's tensors while its passes ran, in bytes. */
  readonly bytes: number;
  readonly passes: readonly PassResult[];
}

/** Tensors of a layer, and its passes on them. */
class LayerTensors implements Disposable {
  readonly values: Pick<CheckJob, "x" | "w" | "dy">;
  readonly #tensors: Readonly<Record<"x" | "w" | "dy", Tensor>>;
  readonly #engine: Engine;
  readonly #layer: NamedLayer;

  constructor(engine: Engine, layer: NamedLayer) {
    const { outputShape } = makeProblem(2, layer.input, layer.weight, layer.options);
    const [x, w, dy] = [layer.input, layer.weight, outputShape].map((shape, i) => randomValues(sizeOf(shape), i));
    this.#engine = engine;
    this.#layer = layer;
    this.values = { x, w, dy };
    this.#tensors = {
      x: engine.tensor(x, layer.input),
      w: engine.tensor(w, layer.weight),
      dy: engine.tensor(dy, outputShape),
    };
  }

  run(pass: Pass): Tensor {
    const { input, weight, options } = this.#layer;
    const { x, w, dy } = this.#tensors;
    if (pass === "forward") return this.#engine.conv2d(x, w, options);
    if (pass === "inputGradient") return this.#engine.conv2dInputGradient(dy, w, input, options);
    return this.#engine.conv2dWeightGradient(dy, x, weight, options);
  }

  [Symbol.dispose](): void {
    for (const tensor of Object.values(this.#tensors)) tensor.dispose();
  }
}

/** A pass on the device: its times, its result, and what the reference says of it. */
async function measureOnDevice(
  engine: Engine,
  tensors: LayerTensors,
  pass: Pass,
  options: {
    readonly layer: NamedLayer;
    readonly rounds: number;
    readonly reference: Reference;
    /** Before each round, and before the result is checked; rejects once the work is cancelled. */
    between(this: void, done: number, note: string): Promise<void>;
  },
): Promise<Omit<DeviceResult, "gflops"> & { readonly bytes: number }> {
  const { layer, rounds, reference, between } = options;
  const times: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    await between(round / (rounds + 1), `round ${String(round)} of ${String(rounds)}`);
    const { milliseconds } = await engine.time(() => tensors.run(pass).dispose());
    // The first one compiles.
    if (round > 0) times.push(milliseconds);
  }
  using result = tensors.run(pass);
  const actual = await result.data();
  const bytes = engine.memory().liveBytes;
  const { solver, config } = engine.explain(
    OPERATIONS[pass],
    { input: layer.input, weight: layer.weight },
    layer.options,
  );
  await between(1, "checked by the reference, in a worker");
  const tile = solver === "winograd" ? (config.tile === 2 ? 2 : 4) : undefined;
  const checked = await reference.ask("check", { pass, layer, ...tensors.values, actual, tile });
  return { ...checked, solver, milliseconds: median(times), spread: [Math.min(...times), Math.max(...times)], bytes };
}

/**
 * @param gpu whether the engine has a device; without one the reference alone is timed
 * @throws ArgumentError for a layer that cannot be; whatever aborted the task.
 */
export async function measureLayer(
  { engine, gpu }: { readonly engine: Engine; readonly gpu: boolean },
  layer: NamedLayer,
  rounds: number,
  { signal, report, pause }: TaskControls,
): Promise<Results> {
  const { multiplyAdds } = makeProblem(2, layer.input, layer.weight, layer.options);
  const gflops = (milliseconds: number): number => (2 * multiplyAdds) / milliseconds / 1e6;
  using tensors = gpu ? new LayerTensors(engine, layer) : undefined;
  using reference = new Reference(signal);
  const passes: PassResult[] = [];
  let bytes = 0;
  for (const [i, name] of PASSES.entries()) {
    const between = async (done: number, note: string): Promise<void> => {
      report((i + done) / PASSES.length, `${PASS_NAMES[name]}: ${note}`);
      await pause();
    };
    await between(0, "the reference, in a worker");
    const cpu = await reference.time(layer, [name], rounds);
    let device: DeviceResult | undefined;
    if (tensors) {
      const withinPass = async (done: number, note: string): Promise<void> => await between(0.3 + 0.5 * done, note);
      const options = { layer, rounds, reference, between: withinPass };
      const { bytes: used, ...measured } = await measureOnDevice(engine, tensors, name, options);
      device = { ...measured, gflops: gflops(measured.milliseconds) };
      bytes = Math.max(bytes, used);
    }
    passes.push({ name, reference: { milliseconds: cpu, gflops: gflops(cpu) }, device });
  }
  return { layer, adapter: engine.adapter.description, rounds, bytes, passes };
}
