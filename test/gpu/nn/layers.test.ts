/** Layers: each computes what its operation does, from parameters of its own; and what is said of wrong arguments. */
import type { Engine, Tensor } from "webgpu-conv";
import {
  avgPool2d,
  batchNorm,
  defineModule,
  disposeModule,
  explainNetwork,
  groupNorm,
  interpolate,
  layers,
  maxPool2d,
  type Module,
  parametersOf,
  Random,
  setFrozen,
  setTraining,
  stateOf,
} from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { Random as Reals, reals } from "../../support/data.js";
import { deviceOf, gpuTest } from "../../support/gpuTest.js";

const initOf = (engine: Engine): layers.Init => ({ engine, random: new Random(1) });
const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const tensorOf = (engine: Engine, shape: readonly number[], seed = 1): Tensor =>
  engine.tensor(reals(new Reals(seed), size(shape)), shape);

/** Compares a layer's result with its operation's, bit for bit, and gives both back. */
async function expectSame(module: Module, x: Tensor, expected: Tensor): Promise<void> {
  using y = module.forward(x);
  using wanted = expected;
  expect(y.shape).toEqual(wanted.shape);
  expect(await y.data()).toEqual(await wanted.data());
}

describe("a layer", () => {
  gpuTest("convolves in one and three dimensions, and the other way", async ({ bare: engine }) => {
    const init = initOf(engine);
    const options = { kernel: 2, stride: 2, bias: true, activation: "relu" } as const;
    const call = { stride: 2, activation: "relu" } as const;
    for (const [axes, name, opposite] of [
      [1, "conv1d", "convTranspose1d"],
      [3, "conv3d", "convTranspose3d"],
    ] as const) {
      using x = tensorOf(engine, [1, 2, ...Array<number>(axes).fill(4)]);
      const forward = layers[name](init, 2, 3, options);
      const back = layers[opposite](init, 2, 3, options);
      expect(forward.parameters.weight.shape).toEqual([3, 2, ...Array<number>(axes).fill(2)]);
      expect(back.parameters.weight.shape).toEqual([2, 3, ...Array<number>(axes).fill(2)]);
      expect(forward.kind).toBe(`${name} ${Array(axes).fill(2).join("x")}, stride 2, relu`);
      const { bias } = forward.parameters;
      await expectSame(forward, x, engine[name](x, forward.parameters.weight, { ...call, bias }));
      const more = { ...call, bias: back.parameters.bias };
      await expectSame(back, x, engine[opposite](x, back.parameters.weight, more));
      disposeModule(forward);
      disposeModule(back);
    }
  });

  gpuTest("pools and resizes", async ({ bare: engine }) => {
    using x = tensorOf(engine, [1, 2, 6, 6]);
    const options = { kernel: 3, stride: 2, padding: 1 } as const;
    await expectSame(layers.maxPool(options), x, maxPool2d(x, options));
    await expectSame(layers.averagePool(options), x, avgPool2d(x, options));
    await expectSame(layers.upsample({ scaleFactor: 2 }), x, interpolate(x, { scaleFactor: 2 }));
    await expectSame(layers.activation("gelu"), x, engine.activate(x, "gelu"));
    for (const [pool, shape] of [
      [layers.globalPool(), [1, 2]],
      [layers.globalPool({ flat: false }), [1, 2, 1, 1]],
    ] as const) {
      using y = pool.forward(x);
      expect(y.shape).toEqual(shape);
    }
  });

  gpuTest(
    "normalises by the batch in training, by running statistics otherwise or frozen",
    async ({ bare: engine }) => {
      using x = tensorOf(engine, [3, 4, 2, 2]);
      const init = initOf(engine);
      const net = layers.sequential({ bn: layers.batchNorm(init, 4, { momentum: 0.5, activation: "relu" }) });
      const { weight, bias } = net.children.bn.parameters;
      const { running_mean: runningMean, running_var: runningVar } = net.children.bn.buffers;
      expect(Object.keys(stateOf(net))).toEqual(["bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"]);
      expect([...(await runningVar.data())]).toEqual([1, 1, 1, 1]);
      const operation = { weight, bias, runningMean, runningVar, activation: "relu" } as const;
      for (const [training, frozen] of [
        [true, false],
        [false, false],
        [true, true],
      ] as const) {
        setTraining(net, training);
        setFrozen(net, frozen);
        expect(Object.keys(parametersOf(net, { trainable: true }))).toEqual(frozen ? [] : ["bn.weight", "bn.bias"]);
        const before = await runningMean.data();
        const byBatch = training && !frozen;
        const copies = [tensorCopy(engine, before), tensorCopy(engine, await runningVar.data())] as const;
        const statistics = { runningMean: copies[0], runningVar: copies[1] };
        const wanted = batchNorm(x, { ...operation, ...statistics, training: byBatch, momentum: 0.5 });
        await expectSame(net, x, wanted);
        const after = await runningMean.data();
        if (byBatch) expect(after).toEqual(await copies[0].data());
        if (byBatch) expect(after).not.toEqual(before);
        else expect(after).toEqual(before);
        copies.forEach((copy) => copy.dispose());
      }
      disposeModule(net);
    },
  );

  gpuTest("normalises by groups of channels", async ({ bare: engine }) => {
    using x = tensorOf(engine, [2, 4, 3, 3]);
    const norm = layers.groupNorm(initOf(engine), 2, 4, { eps: 1e-3 });
    const { weight, bias } = norm.parameters;
    await expectSame(norm, x, groupNorm(x, 2, { weight, bias, eps: 1e-3 }));
    disposeModule(norm);
  });
});

const tensorCopy = (engine: Engine, values: Float32Array): Tensor => engine.tensor(values, [values.length]);

gpuTest("what is wrong with a layer's arguments is said before anything is made", ({ bare: engine }) => {
  const init = initOf(engine);
  const before = engine.memory().liveTensors;
  const wrong = undefined as never;
  const module = "expected a module: one of layers, or what defineModule makes";
  for (const [call, message] of [
    [() => layers.sequential(wrong), "modules is undefined; expected modules in a list or by name, at least one"],
    [() => layers.sequential([wrong]), `children.0 is undefined; ${module}`],
    [() => layers.sequential([]), "modules is []; expected modules in a list or by name, at least one"],
    [() => layers.sequential(layers.relu() as never), "expected modules in a list or by name, at least one"],
    [() => layers.maxPool(wrong), "options is undefined; expected an object with at least kernel: { kernel: 2 }"],
    [() => layers.maxPool(3 as never), "options is 3; expected { kernel: 3 }"],
    [
      () => layers.averagePool({} as never),
      "options is Object; expected an object with at least kernel: { kernel: 2 }",
    ],
    [() => layers.upsample(wrong), "options is undefined; expected { scaleFactor } or { size }"],
    [() => layers.globalPool({ flatt: true } as never), "did you mean flat?"],
    [() => layers.globalPool(false as never), "options is false; expected an object: { flat: false }"],
    [() => layers.activation(wrong), 'activation is undefined; expected one by name: "relu"'],
    [() => layers.activation("rely" as never), "did you mean"],
    [() => layers.groupNorm(init, 3, 4), "channels is 4; expected a multiple of groups = 3"],
    [() => layers.groupNorm(init, 2, 0), "channels is 0; expected an integer of at least 1"],
    [() => layers.batchNorm(wrong, 4), "init is undefined; expected { engine, random }"],
    [() => layers.conv2d(init, 1, 1, wrong), "options is undefined; expected an object"],
    [() => parametersOf(wrong), `module is undefined; ${module}`],
    [() => stateOf({} as never), `module is Object; ${module}`],
    [() => parametersOf(layers.relu(), { trainabel: true } as never), "did you mean trainable?"],
    [() => parametersOf(layers.relu(), true as never), "options is true; expected an object: { trainable: true }"],
    [() => setTraining(layers.relu(), wrong), "training is undefined; expected true or false"],
    [() => setFrozen(layers.relu(), 1 as never), "frozen is 1; expected true or false"],
    [() => explainNetwork(wrong, [1]), `module is undefined; ${module}`],
    [() => defineModule(wrong), "module is undefined; expected an object"],
    [() => defineModule({ kind: "x", forward: wrong }), "forward is undefined; expected a function of a tensor"],
    [
      () => defineModule({ kind: "x", forward: (x) => x, children: { a: wrong } }),
      `children.a is undefined; ${module}`,
    ],
    [() => defineModule({ kind: "x", forward: (x: Tensor) => x, childrens: {} } as never), "did you mean children?"],
  ] as const) {
    expect(call).toThrow(message);
  }
  expect(engine.memory().liveTensors).toBe(before);
  using x = engine.tensor([1], [1, 1]);
  const silent = layers.sequential({ own: defineModule({ kind: "silent", forward: () => wrong }) });
  expect(() => silent.forward(x)).toThrow(/^in layer own: the result of silent is undefined; expected a tensor/);
});

gpuTest("explaining a network tunes nothing", async ({ engine: shared }) => {
  using engine = await createEngine({ device: deviceOf(shared), tune: "first-use" });
  const net = layers.conv2d(initOf(engine), 4, 4, { kernel: 3 });
  explainNetwork(net, [1, 4, 8, 8]);
  await engine.finish();
  expect(engine.tuning.export()).toMatchObject({ entries: [] });
  disposeModule(net);
});
