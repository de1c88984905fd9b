/** This repository's engine: `loadModel`, and the network's run recorded once. */
import { createEngine } from "webgpu-conv";
import { readLayersModel, readOnnx } from "webgpu-conv/io";
import { loadModel } from "webgpu-conv/nn";
import type { NetworkInMemory, RunningNetwork } from "../task.js";

export async function openWebgpuConv({ network, model, weights, x }: NetworkInMemory): Promise<RunningNetwork> {
  const engine = await createEngine();
  const { device } = engine;
  if (!device) throw new Error("webgpu-conv opened no WebGPU device");
  const graph =
    network.weights === undefined
      ? await readOnnx(model, network.name)
      : await readLayersModel(model, () => weights, network.name);
  const loaded = loadModel(engine, graph);
  const input = engine.tensor(x, network.input);
  const sequence = await engine.compile(() => loaded.forward(input));
  return {
    device,
    run: () => {
      sequence.run();
      return sequence.result.data();
    },
    close: () => engine.dispose(),
  };
}
