/** Training: recorded steps, what they leave behind, and what is said where a loss is no number any more. */
import type { Tensor } from "webgpu-conv";
import {
  adam,
  compileTraining,
  crossEntropy,
  defineModule,
  differentiable,
  disposeModule,
  findNonFinite,
  layers,
  type Module,
  mul,
  NonFiniteError,
  parametersOf,
  Random,
  sgd,
  type StepMetrics,
} from "webgpu-conv/nn";
import type { Engine } from "webgpu-conv";
import { describe, expect } from "vitest";
import { gpuTest } from "../../support/gpuTest.js";
import { checkGradients } from "../../support/nn/checkGradients.js";

const BATCH = 8;

function makeNet(engine: Engine): Module {
  const init = { engine, random: new Random(3) };
  return layers.sequential({
    conv: layers.conv2d(init, 1, 6, { kernel: 3, padding: 1, activation: "relu" }),
    pool: layers.globalPool(),
    fc: layers.linear(init, 6, 2),
  });
}

/** Pictures of 6 x 6 whose bars are level, or upright. */
function bars(seed: number): { x: Float32Array; labels: Int32Array } {
  const random = new Random(seed);
  const x = new Float32Array(BATCH * 36);
  const labels = Int32Array.from({ length: BATCH }, () => random.below(2));
  labels.forEach((label, n) => {
    const at = random.below(6);
    for (let i = 0; i < 6; i++) x[n * 36 + (label === 0 ? at * 6 + i : i * 6 + at)] = 1;
  });
  return { x, labels };
}

const inputs = { x: [BATCH, 1, 6, 6], labels: [BATCH] };

describe("a compiled step of training", () => {
  gpuTest("lowers the loss, in order, with flat memory", async ({ bare: engine }) => {
    const net = makeNet(engine);
    const parameters = parametersOf(net);
    const optimizer = adam(engine, parameters, { lr: 0.03 });
    const seen: StepMetrics[] = [];
    const step = await compileTraining(engine, {
      inputs,
      compute: ({ x, labels }) => crossEntropy(net.forward(x), labels),
      parameters,
      optimizer,
      onMetrics: (metrics) => seen.push(metrics),
    });
    const memory: number[] = [];
    for (let i = 0; i < 60; i++) {
      await step.run(bars(i));
      if (i % 20 === 19) memory.push(engine.memory().liveBytes);
    }
    await step.finish();
    expect(seen.map((one) => one.step)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    const mean = (part: StepMetrics[]): number => part.reduce((sum, { loss }) => sum + loss, 0) / part.length;
    expect(mean(seen.slice(0, 5))).toBeGreaterThan(0.5);
    expect(mean(seen.slice(-10))).toBeLessThan(0.3);
    expect(new Set(memory).size).toBe(1);
    step.dispose();
    optimizer.dispose();
    disposeModule(net);
  });

  gpuTest("checks its inputs, and goes on", async ({ bare: engine }) => {
    const net = makeNet(engine);
    const parameters = parametersOf(net);
    using optimizer = sgd(engine, parameters, { lr: 0.1 });
    const options = { inputs, parameters, optimizer };
    const notSingle = compileTraining(engine, { ...options, compute: ({ x }) => net.forward(x) });
    await expect(notSingle).rejects.toThrow("loss has shape [8, 2]; expected a single value");
    const wrongShape = compileTraining(engine, { ...options, compute: ({ labels }) => net.forward(labels) });
    await expect(wrongShape).rejects.toThrow(/^in layer conv: /);
    const losses: number[] = [];
    using step = await compileTraining(engine, {
      ...options,
      compute: ({ x, labels }) => crossEntropy(net.forward(x), labels),
      onMetrics: ({ loss }) => losses.push(loss),
    });
    const { x, labels } = bars(1);
    await expect(step.run({ x } as never)).rejects.toThrow("run() lacks values for labels; expected x, labels");
    await expect(step.run({ x: x.subarray(1), labels })).rejects.toThrow(/287/);
    await step.run({ x, labels });
    await step.finish();
    expect(losses).toHaveLength(1);
    disposeModule(net);
  });

  gpuTest("stops where the loss is NaN, with the step and the layer where it began", async ({ bare: engine }) => {
    const init = { engine, random: new Random(1) };
    const root = defineModule({
      kind: "square root",
      forward: (x) => {
        // NaN for what is below 0.
        using half = mul(x, 1e38);
        return mul(half, half);
      },
    });
    const net = layers.sequential({
      fc: layers.linear(init, 36, 4),
      body: layers.sequential({ root }),
      out: layers.linear(init, 4, 2),
    });
    const parameters = parametersOf(net);
    using optimizer = sgd(engine, parameters, { lr: 0.1, skipNonFinite: true });
    const compute = ({ x, labels }: Record<"x" | "labels", Tensor>): Tensor => crossEntropy(net.forward(x), labels);
    using step = await compileTraining(engine, {
      inputs: { x: [BATCH, 36], labels: [BATCH] },
      compute,
      parameters,
      optimizer,
    });
    const zeros = { x: new Float32Array(BATCH * 36), labels: new Float32Array(BATCH) };
    for (const tensor of [net.children.fc.parameters.bias]) await engine.write(tensor, new Float32Array(4));
    await step.run(zeros);
    await step.run({ ...zeros, x: bars(1).x });
    await step.run(zeros);
    const error: unknown = await step.finish().then(
      () => undefined,
      (cause: unknown) => cause,
    );
    expect(error).toBeInstanceOf(NonFiniteError);
    expect(String(error)).toMatch(
      /the loss of step 2 is (NaN|-?Infinity): it begins in layer body\.root, mul, whose result of shape \[8, 4\]/,
    );
    await expect(step.run(zeros)).rejects.toBe(error);
    disposeModule(net);
  });

  gpuTest("finds nothing where all is finite", async ({ bare: engine }) => {
    const net = makeNet(engine);
    using x = engine.tensor(bars(1).x, inputs.x);
    expect(await findNonFinite(engine, () => net.forward(x))).toBeUndefined();
    disposeModule(net);
  });
});

describe("an operation of one's own", () => {
  gpuTest("has the gradient that it says", async ({ bare: engine }) => {
    await checkGradients(engine, {
      inputs: { a: { shape: [2, 3] }, b: { shape: [2, 3] } },
      compute: ({ a, b }) =>
        mul(
          differentiable({
            name: "product",
            inputs: [a, b],
            forward: (first, second) => mul(first, second),
            backward: ({ inputs: [first, second], gradient, needed }) => [
              needed[0] ? mul(gradient, second) : undefined,
              needed[1] ? mul(gradient, first) : undefined,
            ],
          }),
          a,
        ),
    });
  });

  gpuTest("says which gradient is wrong", ({ bare: engine }) => {
    using a = engine.tensor([1, 2], [2]);
    expect(() => differentiable({ name: "x", inputs: [], forward: () => a, backward: () => [] })).toThrow(
      /at least one tensor/,
    );
  });
});
