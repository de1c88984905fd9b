/** Weights with a norm folded in: made once, kept while what they are made of stays, and never stale. */
import type { Engine, Tensor } from "webgpu-conv";
import {
  disposeModule,
  foldBatchNorm,
  layers,
  loadState,
  type Module,
  parametersOf,
  Random,
  setTraining,
  sgd,
  stateOf,
  sum,
  Tape,
} from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { countKernels } from "../../support/countKernels.js";
import { Random as Reals, reals } from "../../support/data.js";
import { deviceOf, gpuTest } from "../../support/gpuTest.js";
import { lose } from "../../support/losses.js";

const CHANNELS = 4;
const shapeOf = (channels: number): number[] => [2, channels, 5, 5];
const SHAPE = shapeOf(CHANNELS);

interface Net {
  readonly engine: Engine;
  readonly net: Module;
  readonly x: Tensor;
}

function makeNet(engine: Engine, seed = 1, channels = CHANNELS): Net {
  const init = { engine, random: new Random(seed) };
  const net = layers.sequential({
    conv: layers.conv2d(init, channels, channels, { kernel: 3, padding: 1, bias: false }),
    bn: layers.batchNorm(init, channels, { activation: "relu" }),
  });
  setTraining(net, false);
  const x = engine.tensor(reals(new Reals(2), 50 * channels), shapeOf(channels), { keep: true });
  return { engine, net, x };
}

function disposeNet({ net, x }: Net): void {
  disposeModule(net);
  x.dispose();
}

/** What the network gives with the values that its tensors have now, by weights that are folded now. */
async function expectedOf({ engine, net, x }: Net): Promise<Float32Array> {
  const { conv, bn } = net.children;
  const { running_mean: runningMean, running_var: runningVar } = bn.buffers;
  const { weight, bias } = bn.parameters;
  const folded = foldBatchNorm(conv.parameters.weight, { weight, bias, runningMean, runningVar });
  using y = engine.conv2d(x, folded.weight, { bias: folded.bias, padding: 1, activation: "relu" });
  folded.weight.dispose();
  folded.bias.dispose();
  return await y.data();
}

/** Bit for bit. Returns the values. */
async function expectCurrent(made: Net): Promise<Float32Array> {
  const expected = await expectedOf(made);
  using y = made.net.forward(made.x);
  const actual = await y.data();
  expect(actual).toEqual(expected);
  return actual;
}

function trainOnce({ engine, net, x }: Net, optimizer: ReturnType<typeof sgd>): void {
  using tape = new Tape(engine);
  using loss = tape.run(() => {
    using y = net.forward(x);
    return sum(y);
  });
  const gradients = tape.gradients(loss, parametersOf(net));
  optimizer.step(gradients);
  for (const gradient of Object.values(gradients)) gradient.dispose();
}

/** Each changes what the network gives in evaluation. */
const CHANGES: Readonly<Record<string, (made: Net) => unknown>> = {
  "a step of an optimizer": (made) => {
    using optimizer = sgd(made.engine, parametersOf(made.net), { lr: 0.1 });
    trainOnce(made, optimizer);
  },
  "a forward pass in training": ({ net, x }) => {
    setTraining(net, true);
    net.forward(x).dispose();
    setTraining(net, false);
  },
  loadState: async ({ engine, net }) => {
    const other = makeNet(engine, 7);
    await loadState(net, stateOf(other.net));
    disposeNet(other);
  },
  "a write to a running statistic": ({ engine, net }) =>
    engine.write(net.children.bn.buffers.running_var, [4, 1, 2, 3]),
  "a write to a norm's bias": ({ engine, net }) => engine.write(net.children.bn.parameters.bias, [1, 2, 3, 4]),
};

describe("folded weights", () => {
  for (const [name, change] of Object.entries(CHANGES)) {
    gpuTest(`are made anew after ${name}`, async ({ bare: engine }) => {
      const made = makeNet(engine);
      const first = await expectCurrent(made);
      await expectCurrent(made);
      using recorded = await engine.compile(() => made.net.forward(made.x));
      recorded.run();
      expect(await recorded.result.data()).toEqual(first);
      await change(made);
      const second = await expectCurrent(made);
      expect(second).not.toEqual(first);
      recorded.run();
      expect(await recorded.result.data(), "recorded before, run after it").toEqual(second);
      recorded.result.dispose();
      disposeNet(made);
    });
  }

  gpuTest("are made once, and go with the first tensor that they are made of", async ({ engine: shared }) => {
    const device = deviceOf(shared);
    using engine = await createEngine({ device, vetKernels: false, poison: true });
    const made = makeNet(engine);
    const before = engine.memory();
    const kernels: number[] = [];
    for (let i = 0; i < 3; i++) {
      const { started, stop } = countKernels(device);
      using y = made.net.forward(made.x);
      await y.data();
      stop();
      kernels.push(started());
    }
    const plan = engine.explain("conv2d", { input: SHAPE, weight: [CHANNELS, CHANNELS, 3, 3] }, { padding: 1 });
    expect(kernels[0]).toBe(kernels[1] + 1);
    expect(kernels[2]).toBeLessThanOrEqual(plan.dispatches.length);
    expect(engine.memory().liveTensors).toBe(before.liveTensors);
    // The folded weight and bias, in size classes of 256 bytes, and at most their transformed filters.
    expect(engine.memory().liveBytes - before.liveBytes).toBeGreaterThanOrEqual(768 + 256);
    made.net.children.bn.buffers.running_mean.dispose();
    await engine.finish();
    expect(engine.memory().liveBytes).toBe(before.liveBytes - 256);
    disposeNet(made);
    await engine.finish();
    expect(engine.memory().liveBytes).toBe(0);
  });

  gpuTest("are made again in a sequence only after a change", async ({ engine: shared }) => {
    const device = deviceOf(shared);
    using engine = await createEngine({ device, vetKernels: false, poison: true });
    const made = makeNet(engine);
    using sequence = await engine.compile(() => made.net.forward(made.x));
    const kernelsOfRun = async (): Promise<number> => {
      const { started, stop } = countKernels(device);
      sequence.run();
      expect(await sequence.result.data()).toEqual(await expectedOf(made));
      stop();
      return started();
    };
    const first = await kernelsOfRun();
    const second = await kernelsOfRun();
    expect(second).toBe(first - 1);
    await engine.write(made.net.children.bn.parameters.weight, [2, 3, 4, 5]);
    expect(await kernelsOfRun()).toBe(first);
    expect(await kernelsOfRun()).toBe(second);
  });

  gpuTest("in a sequence that trains and evaluates are those of after its own step", async ({ bare: engine }) => {
    const made = makeNet(engine);
    using optimizer = sgd(engine, parametersOf(made.net), { lr: 1e-3 });
    using sequence = await engine.compile(() => {
      const before = made.net.forward(made.x);
      trainOnce(made, optimizer);
      return [before, made.net.forward(made.x)] as const;
    });
    for (let i = 0; i < 2; i++) {
      const expectedBefore = await expectedOf(made);
      sequence.run();
      const [before, after] = sequence.result;
      expect(await before.data()).toEqual(expectedBefore);
      expect(await after.data()).toEqual(await expectedOf(made));
      expect(await after.data()).not.toEqual(expectedBefore);
    }
    for (const tensor of sequence.result) tensor.dispose();
    disposeNet(made);
  });

  gpuTest("in a caller's encoder are of the values that it finds", async ({ bare: engine }) => {
    const made = makeNet(engine);
    await expectCurrent(made);
    const device = deviceOf(engine);
    const encoder = device.createCommandEncoder();
    const { result, submitted } = await engine.encode(encoder, () => made.net.forward(made.x));
    await engine.write(made.net.children.bn.parameters.bias, [1, 2, 3, 4]);
    device.queue.submit([encoder.finish()]);
    submitted();
    expect(await result.data()).toEqual(await expectedOf(made));
    result.dispose();
    disposeNet(made);
  });

  gpuTest("whose buffer the caller has are made for each call", async ({ bare: engine }) => {
    const made = makeNet(engine);
    await expectCurrent(made);
    const { buffer, offset } = made.net.children.bn.parameters.bias.binding();
    await engine.submit();
    deviceOf(engine).queue.writeBuffer(buffer, offset, Float32Array.of(1, 2, 3, 4));
    await expectCurrent(made);
    disposeNet(made);
  });

  gpuTest("come back after the loss of a device", async () => {
    using engine = await createEngine({ recover: true });
    const made = makeNet(engine);
    const first = await expectCurrent(made);
    using sequence = await engine.compile(() => made.net.forward(made.x));
    await lose(engine);
    expect(await expectCurrent(made)).toEqual(first);
    sequence.run();
    expect(await sequence.result.data()).toEqual(first);
    await engine.write(made.net.children.bn.parameters.bias, [1, 2, 3, 4]);
    const second = await expectCurrent(made);
    sequence.run();
    expect(await sequence.result.data()).toEqual(second);
    await engine.finish().catch(() => undefined);
  });

  gpuTest("are packed for their kernels anew, too", async ({ engine: shared }) => {
    const device = deviceOf(shared);
    using engine = await createEngine({ device, deviceClass: "amd-rdna", vetKernels: false, poison: true });
    const channels = 16;
    const made = makeNet(engine, 1, channels);
    const shapes = { input: shapeOf(channels), weight: [channels, channels, 3, 3] };
    const { dispatches } = engine.explain("conv2d", shapes, { padding: 1 });
    expect(dispatches[0].kernel).toMatch(/^pack_/);
    using sequence = await engine.compile(() => made.net.forward(made.x));
    for (const seed of [3, 4]) {
      await engine.write(made.net.children.bn.parameters.bias, reals(new Reals(seed), channels));
      await engine.write(made.net.children.bn.parameters.weight, reals(new Reals(seed + 2), channels));
      const expected = await expectedOf(made);
      for (let i = 0; i < 3; i++) {
        using y = made.net.forward(made.x);
        expect(await y.data()).toEqual(expected);
        sequence.run();
        expect(await sequence.result.data()).toEqual(expected);
      }
    }
    const before = engine.memory().liveBytes;
    made.net.children.conv.parameters.weight.dispose();
    await engine.finish();
    // The weight; folded weight and bias, and the weight as its kernels read it.
    expect(before - engine.memory().liveBytes).toBeGreaterThanOrEqual(3 * 4 * 9 * channels ** 2);
  });

  gpuTest("of one convolution with several norms are kept apart", async ({ bare: engine }) => {
    const made = makeNet(engine);
    const other = makeNet(engine, 5);
    await loadState(other.net, stateOf(made.net));
    await engine.write(other.net.children.bn.parameters.bias, [1, 2, 3, 4]);
    const shared = layers.sequential({ conv: made.net.children.conv, bn: other.net.children.bn });
    for (let i = 0; i < 2; i++) {
      await expectCurrent(made);
      await expectCurrent({ ...made, net: shared });
    }
    disposeNet(made);
    disposeNet(other);
  });

  gpuTest("on the CPU", async () => {
    using engine = await createEngine({ backend: "cpu" });
    const made = makeNet(engine);
    const first = await expectCurrent(made);
    await CHANGES["a step of an optimizer"](made);
    expect(await expectCurrent(made)).not.toEqual(first);
    disposeNet(made);
    expect(engine.memory().liveBytes).toBe(0);
  });
});
