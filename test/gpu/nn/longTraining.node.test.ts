/** Many steps of training: memory stays what it was after the first ones. */
import { adam, compileTraining, crossEntropy, disposeModule, layers, parametersOf, Random } from "webgpu-conv/nn";
import { expect } from "vitest";
import { gpuTest } from "../../support/gpuTest.js";

const STEPS = 1000;
const EVERY = 100;
const BATCH = 2;

gpuTest("1,000 steps leave the device's memory flat", async ({ bare: engine }) => {
  const init = { engine, random: new Random(1) };
  const network = layers.sequential({
    conv: layers.conv2d(init, 1, 2, { kernel: 3, padding: 1, activation: "relu" }),
    norm: layers.batchNorm(init, 2),
    pool: layers.globalPool(),
    fc: layers.linear(init, 2, 2),
  });
  const parameters = parametersOf(network);
  const optimizer = adam(engine, parameters, { lr: 1e-3, clipNorm: 1 });
  let steps = 0;
  const step = await compileTraining(engine, {
    inputs: { x: [BATCH, 1, 4, 4], labels: [BATCH] },
    compute: ({ x, labels }) => crossEntropy(network.forward(x), labels),
    parameters,
    optimizer,
    onMetrics: () => steps++,
  });
  const random = new Random(2);
  const memory: unknown[] = [];
  for (let i = 1; i <= STEPS; i++) {
    const x = Float32Array.from({ length: BATCH * 16 }, () => random.uniform(-1, 1));
    await step.run({ x, labels: Float32Array.of(i % 2, (i >> 1) % 2) });
    if (i % EVERY !== 0) continue;
    await step.finish();
    memory.push(engine.memory());
  }
  expect(steps).toBe(STEPS);
  for (const later of memory.slice(1)) expect(later).toEqual(memory[0]);
  step.dispose();
  optimizer.dispose();
  disposeModule(network);
});
