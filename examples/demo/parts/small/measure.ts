/** Times of stacks: forward alone, and with all gradients; in turns, so that what disturbs one disturbs all. */
import type { Engine, Tensor, Timing } from "webgpu-conv";
import { findRepeats, type SampleOptions } from "../../../benchmark/measure.js";
import { PASSES } from "../../../benchmark/passes.js";
import { uniform, valuesFrom } from "../../../benchmark/random.js";
import { median } from "../../../benchmark/statistics.js";
import type { LayerShapes } from "../../reference/jobs.js";
import { type Reference, REFERENCE_SAMPLES } from "../../reference/reference.js";
import type { TaskControls } from "../../shell/useTask.js";
import { deviceSamples } from "../deviceSamples.js";
import { paddingOf, type Stack } from "./stacks.js";

const FLOAT_BYTES = 4;

export interface StackTime {
  /** Medians, in milliseconds. */
  readonly forward: number;
  readonly both: number;
  /** The quickest and the slowest forward pass, in milliseconds. */
  readonly spread: readonly [number, number];
}

export interface Times {
  readonly stacks: readonly StackTime[];
  readonly rounds: number;
  readonly clock: "timestamp" | "wall-clock";
}

/** A stack that can be timed. */
export interface StackRun extends Disposable {
  readonly samples: SampleOptions;
  /** Forward passes of all layers and, if asked for, their gradients, so many times: what all of it took. */
  time(withGradients: boolean, repeats: number): Promise<Pick<Timing, "milliseconds" | "clock">>;
}

/** A stack's tensors on the device. */
export class DeviceStack implements StackRun {
  readonly samples: SampleOptions;
  readonly #engine: Engine;
  readonly #stack: Stack;
  readonly #input: Tensor;
  readonly #weights: readonly Tensor[];

  constructor(engine: Engine, stack: Stack, extent: number, seed: number) {
    const next = uniform(seed);
    const [{ inChannels }] = stack.layers;
    const values = stack.layers.reduce((sum, { outChannels }) => sum + outChannels * extent * extent, 0);
    // A result, its gradient, and room for what a kernel may need besides.
    this.samples = deviceSamples(3 * FLOAT_BYTES * values);
    this.#engine = engine;
    this.#stack = stack;
    this.#input = engine.tensor(valuesFrom(next, inChannels * extent * extent), [1, inChannels, extent, extent]);
    this.#weights = stack.layers.map(({ inChannels, outChannels, kernel }) => {
      // Sums of as many products as there are taps stay near 1.
      const scale = Math.sqrt(3 / (inChannels * kernel * kernel));
      const values = valuesFrom(() => scale * next(), outChannels * inChannels * kernel * kernel);
      return engine.tensor(values, [outChannels, inChannels, kernel, kernel]);
    });
  }

  async time(withGradients: boolean, repeats: number): Promise<Timing> {
    return await this.#engine.time(() => {
      for (let i = 0; i < repeats; i++) this.#record(withGradients);
    });
  }

  #record(withGradients: boolean): void {
    const { layers } = this.#stack;
    const outputs = [this.#input];
    const options = layers.map((layer) => {
      return { padding: paddingOf(layer), dilation: layer.dilation, activation: "relu" as const };
    });
    for (const [i, weight] of this.#weights.entries())
      outputs.push(this.#engine.conv2d(outputs[i], weight, options[i]));
    if (withGradients) this.#recordGradients(outputs, options);
    for (const output of outputs.slice(1)) output.dispose();
  }

  #recordGradients(
    outputs: readonly Tensor[],
    options: readonly { readonly padding: number; readonly dilation: number; readonly activation: "relu" }[],
  ): void {
    const made: Tensor[] = [];
    let dy = outputs[outputs.length - 1];
    for (let i = this.#weights.length - 1; i >= 0; i--) {
      const gradients = this.#engine.conv2dBackward(dy, outputs[i], this.#weights[i], {
        ...options[i],
        output: outputs[i + 1],
      });
      made.push(gradients.input, gradients.weight, gradients.bias);
      dy = gradients.input;
    }
    for (const tensor of made) tensor.dispose();
  }

  [Symbol.dispose](): void {
    for (const tensor of [this.#input, ...this.#weights]) tensor.dispose();
  }
}

/** A stack on the CPU reference: its convolutions, without the activations and the gradients of biases. */
export class ReferenceStack implements StackRun {
  readonly samples = REFERENCE_SAMPLES;
  readonly #reference: Reference;
  readonly #layers: readonly LayerShapes[];

  constructor(reference: Reference, { layers }: Stack, extent: number) {
    this.#reference = reference;
    this.#layers = layers.map((layer) => ({
      input: [1, layer.inChannels, extent, extent],
      weight: [layer.outChannels, layer.inChannels, layer.kernel, layer.kernel],
      options: { padding: paddingOf(layer), dilation: layer.dilation },
    }));
  }

  async time(withGradients: boolean, repeats: number): Promise<Pick<Timing, "milliseconds" | "clock">> {
    const passes = withGradients ? PASSES : PASSES.slice(0, 1);
    const milliseconds = await this.#reference.ask("time", { layers: this.#layers, passes, repeats });
    return { milliseconds, clock: "wall-clock" };
  }

  [Symbol.dispose](): void {
    // Nothing of it is on a device.
  }
}

/** Times stacks, and disposes of them. */
export async function measureStacks(
  runs: readonly StackRun[],
  rounds: number,
  { report, pause }: Pick<TaskControls, "report" | "pause">,
): Promise<Times> {
  try {
    const steps = (rounds + 1) * runs.length;
    let clock: Times["clock"] = "timestamp";
    const timed = async (run: StackRun, withGradients: boolean, repeats: number): Promise<number> => {
      await pause();
      const timing = await run.time(withGradients, repeats);
      if (timing.clock === "wall-clock") clock = "wall-clock";
      return timing.milliseconds;
    };
    const lanes: Lane[] = [];
    for (const [i, run] of runs.entries()) {
      report(i / steps, "Warming up");
      const repeats: number[] = [];
      for (const withGradients of [false, true]) {
        // The first run compiles, and tells nothing else.
        await timed(run, withGradients, 1);
        const found = await findRepeats(async (repeats) => await timed(run, withGradients, repeats), run.samples);
        repeats.push(found.repeats);
      }
      lanes.push({ run, repeats, forward: [], both: [] });
    }
    // Of the warming up, the device may have seen nothing, for the shortness of it.
    clock = "timestamp";
    for (let round = 1; round <= rounds; round++) {
      for (const [i, { run, repeats, forward, both }] of lanes.entries()) {
        report((round * runs.length + i) / steps, `Round ${String(round)} of ${String(rounds)}`);
        forward.push((await timed(run, false, repeats[0])) / repeats[0]);
        both.push((await timed(run, true, repeats[1])) / repeats[1]);
      }
    }
    // Who cancelled meanwhile wants no times.
    await pause();
    return { stacks: lanes.map(summarize), rounds, clock };
  } finally {
    for (const run of runs) run[Symbol.dispose]();
  }
}

/** A stack in its turns. */
interface Lane {
  readonly run: StackRun;
  /** Of a forward pass, and of one with its gradients. */
  readonly repeats: readonly number[];
  readonly forward: number[];
  readonly both: number[];
}

function summarize({ forward, both }: Lane): StackTime {
  return { forward: median(forward), both: median(both), spread: [Math.min(...forward), Math.max(...forward)] };
}
