/** Tensors belong to one engine, and an engine that was disposed of does nothing more. */
import { type GradientOptions, TensorError } from "webgpu-conv";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { deviceOf, gpuTest } from "../support/gpuTest.js";

describe("two engines", () => {
  gpuTest("refuse each other's tensors, in every operand", async ({ engine }) => {
    using other = await createEngine({ device: deviceOf(engine) });
    using x = engine.tensor(new Float32Array(9).fill(1), [1, 1, 3, 3]);
    using w = engine.tensor([1], [1, 1, 1, 1]);
    const foreign = other.tensor(new Float32Array(9), [1, 1, 3, 3]);
    const foreignOne = other.tensor([1], [1]);
    const masked: GradientOptions = { activation: "relu", output: foreign };
    const calls: Readonly<Record<string, () => unknown>> = {
      x: () => engine.conv2d(foreign, w),
      bias: () => engine.conv2d(x, w, { bias: foreignOne }),
      dy: () => engine.conv2dBiasGradient(foreign),
      output: () => engine.conv2dWeightGradient(x, x, [1, 1, 1, 1], masked),
      w: () => engine.conv2d(x, foreign),
    };
    for (const [name, call] of Object.entries(calls)) {
      expect(call).toThrow(TensorError);
      expect(call).toThrow(new RegExp(`^${name} of shape .* another engine`));
    }
    using y = engine.conv2d(x, w);
    expect([...(await y.data())]).toEqual(new Array<number>(9).fill(1));
    expect([...(await foreign.data())]).toEqual(new Array<number>(9).fill(0));
  });
});

gpuTest("a disposed engine refuses everything, and only it", async ({ engine }) => {
  const gone = await createEngine({ device: deviceOf(engine) });
  const x = gone.tensor(new Float32Array(9), [1, 1, 3, 3]);
  gone.dispose();
  gone.dispose();
  expect(x.disposed).toBe(true);
  expect(() => gone.tensor([1], [1])).toThrow(TensorError);
  expect(() => gone.conv2d(x, x)).toThrow(TensorError);
  expect(() => gone.conv2dBiasGradient(x)).toThrow(/disposed/);
  expect(() => gone.explain("conv2d", { input: [1, 1, 3, 3], weight: [1, 1, 3, 3] })).toThrow(TensorError);
  await expect(gone.finish()).rejects.toThrow(TensorError);
  await expect(gone.time(() => undefined)).rejects.toThrow(TensorError);
  await expect(x.data()).rejects.toThrow(TensorError);
  using y = engine.tensor([2], [1]);
  expect([...(await y.data())]).toEqual([2]);
});
