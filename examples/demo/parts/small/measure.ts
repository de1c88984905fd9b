/** Times of stacks: forward alone, and with all gradients; in turns, so that what disturbs one disturbs all. */
import type { Engine, Tensor, Timing } from "webgpu-conv";
import { PASSES } from "../../../benchmark/passes.js";
import { uniform, valuesFrom } from "../../../benchmark/random.js";
import { median } from "../../../benchmark/statistics.js";
import type { LayerShapes } from "../../reference/jobs.js";
import type { Reference } from "../../reference/reference.js";
import type { TaskControls } from "../../shell/useTask.js";
import { paddingOf, type Stack } from "./stacks.js";

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
interface StackRun extends Disposable {
  /** A forward pass of all layers and, if asked for, their gradients. */
  time(withGradients: boolean): Promise<Pick<Timing, "milliseconds" | "clock">>;
}

/** A stack's tensors on the device. */
export class DeviceStack implements StackRun {
  readonly #engine: Engine;
  readonly #stack: Stack;
  readonly #input: Tensor;
  readonly #weights: readonly Tensor[];

  constructor(engine: Engine, stack: Stack, extent: number, seed: number) {
    const next = uniform(seed);
    const [{ inChannels }] = stack.layers;
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

  async time(withGradients: boolean): Promise<Timing> {
    return await this.#engine.time(() => this.#record(withGradients));
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

  async time(withGradients: boolean): Promise<Pick<Timing, "milliseconds" | "clock">> {
    const passes = withGradients ? PASSES : PASSES.slice(0, 1);
    return { milliseconds: await this.#reference.ask("time", { layers: this.#layers, passes }), clock: "wall-clock" };
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
    let clock: Times["clock"] = "wall-clock";
    const times = runs.map(() => ({ forward: [] as number[], both: [] as number[] }));
    // The first round compiles and warms up, and does not count.
    for (let round = 0; round <= rounds; round++) {
      for (const [i, run] of runs.entries()) {
        report(
          (round * runs.length + i) / steps,
          round === 0 ? "Warming up" : `Round ${String(round)} of ${String(rounds)}`,
        );
        await pause();
        const forward = await run.time(false);
        await pause();
        const both = await run.time(true);
        if (round === 0) continue;
        times[i].forward.push(forward.milliseconds);
        times[i].both.push(both.milliseconds);
        clock = forward.clock;
      }
    }
    return { stacks: times.map(summarize), rounds, clock };
  } finally {
    for (const run of runs) run[Symbol.dispose]();
  }
}

function summarize({
  forward,
  both,
}: {
  readonly forward: readonly number[];
  readonly both: readonly number[];
}): StackTime {
  return { forward: median(forward), both: median(both), spread: [Math.min(...forward), Math.max(...forward)] };
}
