/** Modules: names, first values, errors; and checkpoints, which compute a segment of them once more. */
import type { Engine, Tensor } from "webgpu-conv";
import {
  checkpoint,
  defineModule,
  disposeModule,
  layers,
  type Module,
  parametersOf,
  Random,
  setFrozen,
  stateOf,
  Tape,
} from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { gpuTest } from "../../support/gpuTest.js";
import { makeFloat64Engine } from "../../support/nn/float64Engine.js";

function makeNet(engine: Engine, seed = 1): Module {
  const init = { engine, random: new Random(seed) };
  const block = layers.sequential({
    conv1: layers.conv2d(init, 4, 4, { kernel: 3, padding: 1, activation: "relu" }),
    conv2: layers.conv2d(init, 4, 4, { kernel: 1, bias: false }),
  });
  return layers.sequential({
    stem: layers.conv2d(init, 2, 4, { kernel: 3, stride: 2, padding: 1, activation: "gelu" }),
    block: defineModule({ kind: "block", children: { block }, forward: (x) => block.forward(x) }),
    up: layers.convTranspose2d(init, 4, 1, { kernel: 2, stride: 2 }),
  });
}

describe("a network", () => {
  gpuTest("has parameters by PyTorch's names, with the same first values everywhere", async ({ bare: engine }) => {
    const net = makeNet(engine);
    const names = ["stem", "block.block.conv1", "block.block.conv2", "up"];
    const parameters = parametersOf(net);
    expect(Object.keys(parameters)).toEqual(
      names.flatMap((name) => [`${name}.weight`, ...(name.endsWith("conv2") ? [] : [`${name}.bias`])]),
    );
    expect(Object.keys(stateOf(net))).toEqual(Object.keys(parameters));
    expect(parameters["up.weight"].shape).toEqual([4, 1, 2, 2]);
    const other = makeNet(engine);
    expect(await parametersOf(other)["up.weight"].data()).toEqual(await parameters["up.weight"].data());
    // Uniform within 1 / sqrt(fan-in) = 1 / sqrt(2 * 9).
    const largest = Math.max(...(await parameters["stem.weight"].data()).map(Math.abs));
    expect(largest).toBeLessThanOrEqual(Math.fround(1 / Math.sqrt(18)));
    expect(largest).toBeGreaterThan(0.8 / Math.sqrt(18));
    setFrozen(net.children.block, true);
    expect(Object.keys(parametersOf(net, { trainable: true }))).toEqual([
      "stem.weight",
      "stem.bias",
      "up.weight",
      "up.bias",
    ]);
    disposeModule(net);
    disposeModule(other);
  });

  gpuTest("names the layer in errors, and goes on", ({ bare: engine }) => {
    const net = makeNet(engine);
    using x = engine.tensor(new Float32Array(3 * 64), [1, 3, 8, 8]);
    expect(() => net.forward(x)).toThrow(/^in layer stem: .*3/);
    const broken = layers.sequential({
      inner: defineModule({ kind: "", children: { net }, forward: () => net.forward(x) }),
    });
    expect(() => broken.forward(x)).toThrow(/^in layer inner\.net\.stem: /);
    expect(() => net.forward(1 as unknown as Tensor)).toThrow(/x is 1; expected a tensor/);
    disposeModule(net);
  });

  gpuTest("gives back what passes between layers", async ({ bare: engine }) => {
    const net = makeNet(engine);
    const { liveTensors } = engine.memory();
    using x = engine.tensor(new Float32Array(2 * 64), [1, 2, 8, 8]);
    using y = net.forward(x);
    expect(engine.memory().liveTensors - liveTensors).toBe(2);
    expect((await y.data()).length).toBe(64);
    disposeModule(net);
  });
});

describe("a checkpoint", () => {
  gpuTest("has the bits of the whole, forward and backward, with less memory", async ({ bare: engine }) => {
    const net = makeNet(engine);
    const parameters = parametersOf(net);
    const { stem, block, up } = net.children;
    using x = engine.tensor(
      Float32Array.from({ length: 2 * 64 }, (_, i) => Math.sin(i)),
      [1, 2, 8, 8],
    );
    using upstream = engine.tensor(
      Float32Array.from({ length: 64 }, (_, i) => Math.cos(i)),
      [1, 1, 8, 8],
    );
    const runs = [
      (): Tensor => net.forward(x),
      (): Tensor => checkpoint((input) => up.forward(block.forward(stem.forward(input))), x),
      (): Tensor => up.forward(checkpoint((input) => block.forward(input), stem.forward(x))),
    ];
    const found: Float32Array[][] = [];
    const live: number[] = [];
    for (const run of runs) {
      using tape = new Tape(engine);
      const before = engine.memory().liveTensors;
      using y = tape.run(run);
      live.push(engine.memory().liveTensors - before);
      const gradients = tape.gradients(y, { x, ...parameters }, { upstream });
      found.push(await Promise.all([y, ...Object.values(gradients)].map((tensor) => tensor.data())));
      for (const gradient of Object.values(gradients)) gradient.dispose();
      expect(engine.memory().liveTensors - before).toBe(1);
    }
    expect(found[1]).toEqual(found[0]);
    expect(found[2]).toEqual(found[0]);
    // The result alone; beside it, what the layer outside the segment reads.
    expect(live[1]).toBe(1);
    expect(live[0]).toBeGreaterThan(live[2]);
    disposeModule(net);
  });

  gpuTest("leaves nothing behind where the segment throws", ({ bare: engine }) => {
    using x = engine.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
    using w = engine.tensor([1], [1, 1, 1, 1]);
    using tape = new Tape(engine);
    const before = engine.memory().liveTensors;
    const failing = (): Tensor => {
      engine.conv2d(x, w);
      throw new Error("mine");
    };
    expect(() => tape.run(() => checkpoint(failing, x))).toThrow("mine");
    expect(engine.memory().liveTensors).toBe(before);
    using y = tape.run(() => engine.conv2d(x, w));
    expect(y.shape).toEqual([1, 1, 2, 2]);
  });
});

describe("a tape in a compiled step", () => {
  gpuTest("computes gradients of the values that there are at each run", async ({ bare: engine }) => {
    const shape = [1, 2, 6, 6];
    const exact = makeFloat64Engine();
    using x = engine.tensor(new Float32Array(72), shape);
    using w = engine.tensor(
      Float32Array.from({ length: 36 }, (_, i) => Math.sin(i)),
      [2, 2, 3, 3],
    );
    using upstream = engine.tensor(
      Float32Array.from({ length: 72 }, (_, i) => Math.cos(i)),
      shape,
    );
    using step = await engine.compile(() => {
      const tape = new Tape(engine);
      const y = tape.run(() => engine.conv2d(x, w, { padding: 1, activation: "relu" }));
      const gradients = tape.gradients(y, { w }, { upstream });
      y.dispose();
      return gradients.w;
    });
    for (let run = 0; run < 3; run++) {
      const values = Float32Array.from({ length: 72 }, (_, i) => Math.sin(i * (run + 1)));
      await engine.write(x, values);
      step.run();
      const tape = new Tape(exact.engine);
      const tensors = [
        exact.tensor(values, shape),
        exact.tensor(await w.data(), [2, 2, 3, 3]),
        exact.tensor(await upstream.data(), shape),
      ] as const;
      const y = tape.run(() => exact.engine.conv2d(tensors[0], tensors[1], { padding: 1, activation: "relu" }));
      const [expected] = tape.gradients(y, [tensors[1]], { upstream: tensors[2] });
      const actual = await step.result.data();
      const bound = 1e-5 * Math.max(...exact.values(expected).map(Math.abs));
      exact.values(expected).forEach((value, i) => expect(Math.abs(actual[i] - value)).toBeLessThanOrEqual(bound));
    }
    step.result.dispose();
    exact.engine.dispose();
  });
});
