/** One layer, all passes: timed on the device, then by the reference in a worker, which also checks the results. */
import type { Engine, Tensor } from "webgpu-conv";
import { makeProblem } from "webgpu-conv/reference";
import { OPERATIONS, type Pass, PASSES } from "../../../benchmark/passes.js";
import { randomValues } from "../../../benchmark/random.js";
import { median } from "../../../benchmark/statistics.js";
import type { TaskControls } from "../../shell/useTask.js";
import { type Checked, type Job, type LayerShapes, PASS_NAMES } from "./job.js";

export interface PassResult extends Checked {
  readonly name: Pass;
  readonly solver: string;
  /** Of the device: the median, the quickest and the slowest. `milliseconds` is the reference's. */
  readonly deviceMilliseconds: number;
  readonly spread: readonly [number, number];
  readonly gflops: number;
}

export interface Results {
  readonly layer: LayerShapes;
  readonly adapter: string;
  readonly rounds: number;
  /** Device memory of the layer's tensors, in bytes. */
  readonly bytes: number;
  readonly passes: readonly PassResult[];
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, extent) => size * extent, 1);

/** Asks a worker of its own, which ends with the answer or when the work is cancelled. */
async function checkApart(job: Job, signal: AbortSignal): Promise<Checked> {
  const worker = new Worker(new URL("./referenceWorker.ts", import.meta.url), { type: "module" });
  try {
    return await new Promise<Checked>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<Checked>) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(`the reference failed: ${message}`));
      signal.addEventListener("abort", () => reject(new Error("cancelled")), { once: true });
      worker.postMessage(job);
    });
  } finally {
    worker.terminate();
  }
}

/** Tensors of a layer, and its passes on them. */
class LayerTensors implements Disposable {
  readonly values: Pick<Job, "x" | "w" | "dy">;
  readonly #tensors: Readonly<Record<"x" | "w" | "dy", Tensor>>;
  readonly #engine: Engine;
  readonly #layer: LayerShapes;

  constructor(engine: Engine, layer: LayerShapes) {
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

/** @throws ArgumentError for a layer that cannot be; whatever aborted the task. */
export async function measureLayer(
  engine: Engine,
  layer: LayerShapes,
  rounds: number,
  { signal, report, pause }: TaskControls,
): Promise<Results> {
  const { multiplyAdds } = makeProblem(2, layer.input, layer.weight, layer.options);
  using tensors = new LayerTensors(engine, layer);
  const bytes = engine.memory().liveBytes;
  const passes: PassResult[] = [];
  for (const [i, pass] of PASSES.entries()) {
    const times: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      report(
        (i + (0.5 * round) / rounds) / PASSES.length,
        `${PASS_NAMES[pass]}: round ${String(round)} of ${String(rounds)}`,
      );
      await pause();
      const { milliseconds } = await engine.time(() => tensors.run(pass).dispose());
      // The first one compiles.
      if (round > 0) times.push(milliseconds);
    }
    using result = tensors.run(pass);
    const actual = await result.data();
    const shapes = { input: layer.input, weight: layer.weight };
    const { solver, config } = engine.explain(OPERATIONS[pass], shapes, layer.options);
    report((i + 0.5) / PASSES.length, `${PASS_NAMES[pass]}: the reference, in a worker`);
    const tile = solver === "winograd" ? (config.tile === 2 ? 2 : 4) : undefined;
    const checked = await checkApart({ pass, layer, ...tensors.values, actual, tile }, signal);
    await pause();
    const deviceMilliseconds = median(times);
    passes.push({
      ...checked,
      name: pass,
      solver,
      deviceMilliseconds,
      spread: [Math.min(...times), Math.max(...times)],
      gflops: (2 * multiplyAdds) / deviceMilliseconds / 1e6,
    });
  }
  return { layer, adapter: engine.adapter.description, rounds, bytes, passes };
}
