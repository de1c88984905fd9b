/** What nobody disposed of comes back when it is collected. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import type { Tensor } from "webgpu-conv";
import { mul, Tape } from "webgpu-conv/nn";
import { deviceOf, gpuTest } from "../support/gpuTest.js";

const SHAPE = [1, 1, 2, 2];
const valuesOf = async (tensor: Tensor): Promise<number[]> => [...(await tensor.data())];

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

describe("results that nobody keeps", () => {
  const collected = async (isDone: () => boolean): Promise<void> => {
    for (let i = 0; i < 100 && !isDone(); i++) {
      collect();
      await turn();
    }
  };

  gpuTest("give their memory back, and a warning says once how many and where", async ({ engine }) => {
    const warnings: string[] = [];
    const onWarning = (message: string): void => void warnings.push(message);
    using own = await createEngine({ device: deviceOf(engine), development: true, onWarning });
    const x = own.tensor([-1, 2, -3, 4], SHAPE);
    await own.finish();
    const before = own.memory();
    // A gradient's frames are more than the ten that V8 gives by default.
    for (let i = 0; i < 500; i++) own.conv2dWeightGradient(x, x, [1, 1, 1, 1]);
    await own.finish();
    await collected(() => own.memory().liveTensors === 1);
    expect(own.memory().liveTensors).toBe(1);
    await own.finish();
    expect(own.memory().liveBytes).toBe(before.liveBytes);
    expect(warnings.length).toBe(1);
    expect(warnings[0]).toMatch(/^\d+ tensors were never disposed of.*dropped\.node\.test/s);
    expect(x.disposed).toBe(false);
    expect(await valuesOf(x)).toEqual([-1, 2, -3, 4]);
  });

  gpuTest("with a tape that nobody asks for gradients", async ({ engine }) => {
    using own = await createEngine({ device: deviceOf(engine) });
    const x = own.tensor([-1, 2, -3, 4], SHAPE);
    const record = (): void => {
      new Tape(own).run(() => mul(mul(x, x), x)).dispose();
    };
    for (let i = 0; i < 10; i++) record();
    expect(own.memory().liveTensors).toBeGreaterThan(1);
    await collected(() => own.memory().liveTensors === 1);
    expect(own.memory().liveTensors).toBe(1);
    expect(await valuesOf(x)).toEqual([-1, 2, -3, 4]);
    // The tapes read it no more.
    x.dispose();
    expect(own.memory().liveTensors).toBe(0);
  });

  gpuTest("go quietly unless development is said; what a sequence reads stays", async ({ engine }) => {
    const warnings: string[] = [];
    using own = await createEngine({ device: deviceOf(engine), onWarning: (message) => warnings.push(message) });
    // Nobody holds what it reads, and nobody the results that are made of its own.
    const compile = () => own.compile(() => own.activate(own.tensor([-1, 2, -3, 4], SHAPE), "relu"));
    using step = await compile();
    step.run();
    for (let i = 0; i < 10_000; i++) own.activate(step.result, "relu");
    await own.finish();
    await collected(() => own.memory().liveTensors === 2);
    expect(own.memory().liveTensors).toBe(2);
    step.run();
    expect(await valuesOf(step.result)).toEqual([0, 2, 0, 4]);
    expect(warnings).toEqual([]);
  });
});
