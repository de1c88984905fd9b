/** The textbook's networks (examples/networks): the same as in float64, and they learn. */
import type { Engine, Tensor } from "webgpu-conv";
import { crossEntropy, disposeModule, explainNetwork, type Module, parametersOf, Random, Tape } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { DILATIONS } from "../../../examples/networks/dilatedContext.js";
import { makeNetwork, SYSTEMS } from "../../../examples/networks/systems.js";
import { CHANNELS, sevenBySeven, threeByThree } from "../../../examples/networks/threeOrSeven.js";
import { train } from "../../../examples/networks/train.js";
import { gpuTest } from "../../support/gpuTest.js";
import { expectClose } from "../../support/nn/checkGradients.js";
import { makeFloat64Engine } from "../../support/nn/float64Engine.js";

const BATCH = 4;
const EXTENT = 12;
const NAMES = Object.keys(SYSTEMS);
/**
 * Of the largest value among those compared. A sum of K products in float32 is off by about sqrt(K) * 2^-24 of its terms' size, K up to
 * 2,000 here (weights' gradients): 3e-6. Ten layers, forward and back, add up to at most twenty such errors.
 */
const TOLERANCE = 6e-5;

/** Logits and gradients of a network with these pictures. Everything is given back. */
async function passesOf(name: string, engine: Engine, valuesOf: (tensor: Tensor) => Promise<ArrayLike<number>>) {
  const { task } = SYSTEMS[name];
  const network = await makeNetwork(SYSTEMS[name], { engine, random: new Random(5) });
  const { value: example } = await task.batches({ batch: BATCH, extent: EXTENT, seed: 2 }).next();
  using x = engine.tensor(example.x, [BATCH, 1, EXTENT, EXTENT]);
  using labels = engine.tensor(example.labels, task.labelShape(BATCH, EXTENT));
  using tape = new Tape(engine);
  const { logits, loss } = tape.run(() => {
    const scores = network.forward(x);
    return { logits: scores, loss: crossEntropy(scores, labels) };
  });
  const gradients = tape.gradients(loss, parametersOf(network));
  const values: Record<string, ArrayLike<number>> = { logits: await valuesOf(logits) };
  for (const [parameter, gradient] of Object.entries(gradients)) values[parameter] = await valuesOf(gradient);
  for (const tensor of [logits, loss, ...Object.values(gradients)]) tensor.dispose();
  disposeModule(network);
  return values;
}

describe.for(NAMES)("%s", (name) => {
  // Both with the same kernels: they are compiled once.
  gpuTest("has the logits and the gradients of float64, and learns some pictures", async ({ bare: engine }) => {
    const actual = await passesOf(name, engine, (tensor) => tensor.data());
    const exact = makeFloat64Engine();
    const expected = await passesOf(name, exact.engine, (tensor) => Promise.resolve(exact.values(tensor)));
    exact.engine.dispose();
    expect(Object.keys(actual)).toEqual(Object.keys(expected));
    for (const [what, values] of Object.entries(expected)) expectClose(actual[what], values, TOLERANCE, what);

    const { task } = SYSTEMS[name];
    const network = await makeNetwork(SYSTEMS[name], { engine, random: new Random(5) });
    const options = { steps: 30, batch: BATCH, count: BATCH, extent: EXTENT, seed: 2, lr: 1e-2 };
    const { losses } = await train(engine, network, task, options);
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(losses).toHaveLength(options.steps);
    const [first, last] = [mean(losses.slice(0, 3)), mean(losses.slice(-3))];
    console.log(`${name}: loss ${first.toFixed(3)} to ${last.toFixed(3)}`);
    expect(last).toBeLessThan(0.5 * first);
    disposeModule(network);
  });
});

/** Weights of a module by itself, between C channels. */
function weightsOf(
  engine: Engine,
  make: (init: { engine: Engine; random: Random }, channels: number) => Module,
  channels: number,
) {
  const network = make({ engine, random: new Random(1) }, channels);
  const { weights, layers } = explainNetwork(network, [1, channels, 28, 28]);
  const { receptiveField } = layers[layers.length - 1];
  disposeModule(network);
  return { weights, receptiveField };
}

describe("what the textbook counts", () => {
  gpuTest("27 C^2 weights of three layers of 3x3, 49 C^2 of one of 7x7, which see as far", ({ bare: engine }) => {
    for (const channels of [1, 5, CHANNELS]) {
      const receptiveField = [1, 7, 7];
      expect(weightsOf(engine, threeByThree, channels)).toEqual({ weights: 27 * channels ** 2, receptiveField });
      expect(weightsOf(engine, sevenBySeven, channels)).toEqual({ weights: 49 * channels ** 2, receptiveField });
    }
  });

  gpuTest("what each dilated layer sees", async ({ bare: engine }) => {
    const network = await makeNetwork(SYSTEMS.dilated, { engine, random: new Random(1) });
    const { layers } = explainNetwork(network, [1, 1, 28, 28]);
    const fields = DILATIONS.map(
      (_, i) => 1 + 2 * DILATIONS.slice(0, i + 1).reduce((sum, dilation) => sum + dilation, 0),
    );
    expect(layers.slice(0, -1).map(({ receptiveField }) => receptiveField)).toEqual(
      fields.map((field) => [1, field, field]),
    );
    expect(layers.every(({ shape }) => shape[2] === 28 && shape[3] === 28)).toBe(true);
    disposeModule(network);
  });
});
