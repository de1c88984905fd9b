/** Random networks by this library, compared with what another has computed. */
import type { Engine } from "webgpu-conv";
import { readOnnx } from "webgpu-conv/io";
import { disposeModule, loadModel } from "webgpu-conv/nn";
import { onnxFile } from "../onnxFile.js";
import type { RandomNetwork } from "./index.js";

export type Results = Readonly<Record<string, ArrayLike<number>>>;

/** What is wrong with results of these names, each within twice its bound: both are that far from real numbers at most. */
export async function differences(
  engine: Engine,
  network: RandomNetwork,
  outputs: readonly string[],
  expected: Results,
): Promise<string[]> {
  const { model, x, values } = network;
  const module = loadModel(engine, await readOnnx(onnxFile({ ...model, outputs })));
  using input = engine.tensor(Float32Array.from(x.data), x.shape);
  const results = module.run({ x: input });
  const wrong: string[] = [];
  for (const { name, shape, error } of values.filter((value) => outputs.includes(value.name))) {
    const y = results[name];
    if (String(y.shape) !== String(shape))
      wrong.push(`${name} has shape ${String(y.shape)}; expected ${String(shape)}`);
    const actual = await y.data();
    const at = actual.findIndex((value, i) => !(Math.abs(value - expected[name][i]) <= 2 * error));
    if (at >= 0)
      wrong.push(
        `${name} is ${String(actual[at])} at ${String(at)}; expected ${String(expected[name][at])}, within ${String(2 * error)}`,
      );
    y.dispose();
  }
  disposeModule(module);
  return wrong;
}
