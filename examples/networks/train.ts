/** Trains one of the networks for some steps. */
import type { Engine } from "webgpu-conv";
import { adam, compileTraining, crossEntropy, type Module, parametersOf } from "webgpu-conv/nn";
import type { BatchOptions, Task } from "./tasks.js";

export interface TrainOptions extends BatchOptions {
  readonly steps: number;
  readonly lr: number;
}

export interface Trained {
  /** Of each step. */
  readonly losses: readonly number[];
  /** Milliseconds a step, without the first two. */
  readonly milliseconds: number;
}

/** Steps before time is counted: kernels are compiled, buffers made. */
const WARM_UP = 2;

export async function train(engine: Engine, network: Module, task: Task, options: TrainOptions): Promise<Trained> {
  const { steps, batch, extent, lr } = options;
  const parameters = parametersOf(network, { trainable: true });
  using optimizer = adam(engine, parameters, { lr });
  const losses: number[] = [];
  using step = await compileTraining(engine, {
    inputs: { x: [batch, 1, extent, extent], labels: task.labelShape(batch, extent) },
    compute: ({ x, labels }) => crossEntropy(network.forward(x), labels),
    parameters,
    optimizer,
    onMetrics: ({ loss }) => losses.push(loss),
  });
  const examples = task.batches(options);
  let begin = performance.now();
  for (let done = 0; done < steps; done++) {
    if (done === WARM_UP) {
      await step.finish();
      begin = performance.now();
    }
    const example = await examples.next();
    await step.run(example.value);
  }
  await step.finish();
  const milliseconds = (performance.now() - begin) / Math.max(1, steps - WARM_UP);
  return { losses, milliseconds };
}
