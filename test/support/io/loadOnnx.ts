/** Networks of ONNX files as modules, and what they compute. */
import type { Engine, Tensor } from "webgpu-conv";
import { readOnnx } from "webgpu-conv/io";
import { disposeModule, type LoadedModel, loadModel } from "webgpu-conv/nn";
import { expect } from "vitest";
import { type AttributeValue, type ModelSpec, onnxFile, type TensorSpec } from "./onnxFile.js";

export const load = async (engine: Engine, model: ModelSpec): Promise<LoadedModel> =>
  loadModel(engine, await readOnnx(onnxFile(model)));

export interface Result {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

export async function run(
  engine: Engine,
  model: ModelSpec,
  shape: readonly number[],
  x: ArrayLike<number>,
): Promise<Result> {
  const module = await load(engine, model);
  using input = engine.tensor(Float32Array.from(x), shape);
  using y: Tensor = module.forward(input);
  const result = { shape: y.shape, values: Array.from(await y.data()) };
  disposeModule(module);
  return result;
}

export const only = (
  op: string,
  attributes: Readonly<Record<string, AttributeValue>> = {},
  constants: readonly TensorSpec[] = [],
  opset = 17,
): ModelSpec => ({
  inputs: { x: [] },
  outputs: ["y"],
  nodes: [{ op, inputs: ["x", ...constants.map((_, i) => `c${String(i)}`)], outputs: ["y"], attributes }],
  initialisers: Object.fromEntries(constants.map((constant, i) => [`c${String(i)}`, constant])),
  opset,
});

export const floats = (...data: number[]): TensorSpec => ({ shape: [data.length], data });
export const integers = (...data: number[]): TensorSpec => ({ shape: [data.length], data, dtype: "int64" });
export const close = (values: readonly number[]): unknown[] =>
  values.map((value) => expect.closeTo(value, 5) as unknown);
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
