/** Fine-tunes a network that enlarges: mean squared error and Adam on patches drawn at random. */
import type { Engine } from "webgpu-conv";
import { adam, compileTraining, cosineDecay, type Module, mseLoss, parametersOf, Random, warmUp } from "webgpu-conv/nn";
import { batchOf, type Pair, randomPatch } from "./pairs.js";
import { CHANNELS, FACTOR } from "./photograph.js";

export interface FineTuning {
  readonly engine: Engine;
  readonly network: Module;
  readonly pairs: readonly Pair[];
  readonly steps: number;
  /** Patches a step. */
  readonly batch: number;
  /** A patch's, before it is enlarged. */
  readonly extent: number;
  readonly seed: number;
  /** The largest rate: it rises to that over the first tenth of the steps, and falls to 0 as half a cosine does. */
  readonly lr: number;
  /** After so many steps, and before the first, `onCheck` is told. */
  readonly every: number;
  /** Of the network as it is after `steps` steps, whose losses are read. */
  readonly onCheck: (steps: number, losses: readonly number[]) => Promise<void>;
  readonly onStep: (steps: number, loss: number) => void;
}

/**
 * @param signal ends it before the next step, by what it is aborted with
 * @returns the loss of each step
 */
export async function fineTune(plan: FineTuning, signal?: AbortSignal): Promise<number[]> {
  const { engine, network, pairs, steps, batch, extent, seed, lr, every, onCheck, onStep } = plan;
  const parameters = parametersOf(network, { trainable: true });
  using optimizer = adam(engine, parameters, { lr });
  // Adam's first steps change every weight by the whole rate, whatever its gradient: a trained network forgets much by large ones.
  const rate = warmUp(cosineDecay({ rate: lr, steps }), { steps: Math.ceil(steps / 10) });
  const losses: number[] = [];
  using step = await compileTraining(engine, {
    inputs: {
      x: [batch, extent, extent, CHANNELS],
      target: [batch, extent * FACTOR, extent * FACTOR, CHANNELS],
    },
    compute: ({ x, target }) => mseLoss(network.forward(x), target),
    parameters,
    optimizer,
    onMetrics({ loss }) {
      losses.push(loss);
      onStep(losses.length, loss);
    },
  });
  await onCheck(0, losses);
  while (step.steps < steps) {
    signal?.throwIfAborted();
    optimizer.lr = rate(step.steps);
    // A stream of random numbers for each step: what it draws does not depend on those before it.
    const random = new Random(seed, [step.steps, 0]);
    // Photographs take turns, so that losses differ by what was learned more than by what was drawn.
    const first = step.steps * batch;
    const patches = Array.from({ length: batch }, (_, i) =>
      randomPatch(pairs[(first + i) % pairs.length], extent, random),
    );
    await step.run({
      x: batchOf(patches.map(({ small }) => small)),
      target: batchOf(patches.map(({ large }) => large)),
    });
    if (step.steps % every === 0 || step.steps === steps) {
      await step.finish();
      await onCheck(step.steps, losses);
    }
  }
  await step.finish();
  return losses;
}
