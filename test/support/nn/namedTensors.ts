/** Parameters of a small network for tests of optimizers: by name, of several sizes. */
import type { Engine, Tensor } from "webgpu-conv";
import type { DType } from "../../../src/problem/dtype.js";
import type { Random } from "../data.js";

/** Of a dispatch' last workgroup, of several workgroups, of one element; nine, for more than two dispatches. */
export const SHAPES: Readonly<Record<string, readonly number[]>> = {
  "conv1.weight": [6, 3, 3, 3],
  "conv1.bias": [6],
  "conv2.weight": [16, 6, 3, 3],
  "conv2.bias": [16],
  "norm.weight": [16],
  "norm.bias": [16],
  scale: [1],
  "fc.weight": [10, 257],
  "fc.bias": [10],
};
export const NAMES = Object.keys(SHAPES);
const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export type Named = Record<string, Float32Array<ArrayBuffer>>;
export type NamedTensors = Record<string, Tensor>;

export function randomValues(random: Random, scale = 1): Named {
  const entries = NAMES.map((name): [string, Float32Array<ArrayBuffer>] => {
    return [name, Float32Array.from({ length: sizeOf(SHAPES[name]) }, () => scale * (2 * random.next() - 1))];
  });
  return Object.fromEntries(entries);
}

export const tensorsOf = (engine: Engine, values: Named, dtype: DType = "float32"): NamedTensors =>
  Object.fromEntries(
    Object.entries(values).map(([name, data]) => [name, engine.tensor(data, SHAPES[name], { dtype })]),
  );

export const disposeAll = (tensors: NamedTensors): void => {
  for (const tensor of Object.values(tensors)) tensor.dispose();
};

export async function readAll(tensors: NamedTensors): Promise<Named> {
  const entries = Object.entries(tensors).map(async ([name, tensor]) => [name, await tensor.data()] as const);
  return Object.fromEntries(await Promise.all(entries));
}
