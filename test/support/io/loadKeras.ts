/** Models of TensorFlow.js as modules, and what they compute beside what they should. */
import type { Engine, Tensor } from "webgpu-conv";
import { readLayersModel } from "webgpu-conv/io";
import { disposeModule, type LoadedModel, loadModel, type LoadModelOptions } from "webgpu-conv/nn";
import { expect } from "vitest";
import { type KerasModel, mapped, shardsOf, textBytes, type Volume } from "./kerasModel.js";

export async function load(
  engine: Engine,
  keras: KerasModel,
  outputs: readonly string[],
  options: LoadModelOptions = {},
): Promise<LoadedModel> {
  const graph = await readLayersModel(textBytes(keras.json(outputs)), shardsOf(keras.bytes()));
  return loadModel(engine, graph, options);
}

export const upload = (engine: Engine, { values, height, width, channels }: Volume): Tensor =>
  engine.tensor(Float32Array.from(values), [1, height, width, channels]);

/** Sums of a few hundred products of numbers within 1: float32 keeps five digits of their largest. */
export function expectClose(actual: Float32Array, { values }: Volume): void {
  expect(actual.length).toBe(values.length);
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  const worst = values.reduce((most, value, at) => Math.max(most, Math.abs(value - actual[at])), 0);
  expect(worst / largest).toBeLessThan(1e-5);
}

export async function expectRuns(
  engine: Engine,
  keras: KerasModel,
  output: string,
  x: Volume,
  y: Volume,
): Promise<void> {
  const model = await load(engine, keras, [output]);
  using input = upload(engine, x);
  using result = model.forward(input);
  expect(result.shape).toEqual([1, y.height, y.width, y.channels]);
  expectClose(await result.data(), y);
  disposeModule(model);
}

export const relu = (x: Volume): Volume => mapped(x, (value) => Math.max(value, 0));
export const withBias = (x: Volume, bias: ArrayLike<number>): Volume =>
  mapped(x, (value, channel) => value + bias[channel]);
