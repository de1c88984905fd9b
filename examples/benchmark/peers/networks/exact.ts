/** What a published network gives in float64: its file on an engine whose values are all float64. */
import { readLayersModel, readOnnx } from "webgpu-conv/io";
import { loadModel } from "webgpu-conv/nn";
import { makeFloat64Engine } from "../../../../test/support/nn/float64Engine.js";
import type { NetworkInMemory } from "./task.js";

export async function exactResult({ network, model, weights, x }: NetworkInMemory): Promise<Float32Array> {
  const exact = makeFloat64Engine();
  const graph =
    network.weights === undefined
      ? await readOnnx(model, network.name)
      : await readLayersModel(model, () => weights, network.name);
  const result = loadModel(exact.engine, graph).forward(exact.tensor(x, network.input));
  const values = Float32Array.from(exact.values(result));
  exact.engine.dispose();
  return values;
}
