/** Trains a network on glyphs, and counts how many it gets right that it has not seen. */
import type { Engine } from "webgpu-conv";
import {
  accuracy,
  adam,
  compileTraining,
  cosineDecay,
  crossEntropy,
  DataLoader,
  type Dataset,
  type Module,
  parametersOf,
} from "webgpu-conv/nn";

export interface TrainingPlan {
  readonly engine: Engine;
  readonly network: Module;
  readonly train: Dataset;
  readonly epochs: number;
  readonly batchSize: number;
  readonly seed: number;
  readonly lr: number;
  /** Told how far it is. */
  readonly onStep: (step: number, total: number, loss: number) => void;
}

/** @returns the loss of each step */
export async function trainNetwork(plan: TrainingPlan): Promise<number[]> {
  const { engine, network, train, epochs, batchSize, seed, lr, onStep } = plan;
  const parameters = parametersOf(network, { trainable: true });
  using optimizer = adam(engine, parameters, { lr });
  const loader = new DataLoader(train, { batchSize, seed, dropLast: true });
  const steps = epochs * loader.batchesPerEpoch;
  const rate = cosineDecay({ rate: lr, steps });
  const losses: number[] = [];
  using step = await compileTraining(engine, {
    inputs: { x: [batchSize, ...train.shape], labels: [batchSize] },
    compute: ({ x, labels }) => crossEntropy(network.forward(x), labels),
    parameters,
    optimizer,
    onMetrics({ step: done, loss }) {
      losses.push(loss);
      onStep(done, steps, loss);
    },
  });
  for (let epoch = 0; epoch < epochs; epoch++) {
    for await (const { x, labels } of loader) {
      optimizer.lr = rate(step.steps);
      await step.run({ x, labels });
    }
  }
  await step.finish();
  return losses;
}

/** The part of a dataset that the network gets right. */
export async function accuracyOn(engine: Engine, network: Module, dataset: Dataset): Promise<number> {
  let right = 0;
  for await (const { x, shape, labels } of new DataLoader(dataset, { batchSize: 250, shuffle: false })) {
    using images = engine.tensor(x, shape);
    using answers = engine.tensor(labels, [labels.length]);
    using logits = network.forward(images);
    using count = accuracy(logits, answers);
    right += (await count.data())[0];
  }
  return right / dataset.size;
}
