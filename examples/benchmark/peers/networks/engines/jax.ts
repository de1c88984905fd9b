/** jax-js, which reads no networks: the layers by hand, with the file's weights, under one `jit`. */
import { type Array as JaxArray, defaultDevice, getWebGPUDevice, init, jit, numpy as np, tree } from "@jax-js/jax";
import { floatValues, readLayersModel } from "webgpu-conv/io";
import { type Arrays, runner } from "../../training/engines/jax.js";
import { esrganSlim } from "../../training/networks.js";
import type { NetworkInMemory, RunningNetwork } from "../task.js";

export async function openJax({ network, model, weights, x }: NetworkInMemory): Promise<RunningNetwork> {
  await init("webgpu");
  defaultDevice("webgpu");
  if (network.factor === undefined) throw new Error(`${network.name} was not written down for jax-js`);
  const layers = esrganSlim(network.factor);
  const graph = await readLayersModel(model, () => weights, network.name);
  const parameters: Arrays = Object.fromEntries(
    [...graph.weights].map(([name, stored]) => [name, np.array(floatValues(stored), { shape: [...stored.shape] })]),
  );
  const input = np.array(x, { shape: [...network.input] });
  const compiled = jit((current: Arrays, picture: JaxArray): JaxArray => {
    const result = runner(current, {}, {})(layers, np.transpose(picture, [0, 3, 1, 2]));
    tree.dispose(current);
    return np.transpose(result, [0, 2, 3, 1]);
  });
  return {
    device: getWebGPUDevice(),
    run: async () => (await compiled(tree.ref(parameters), input.ref).data()) as Float32Array,
    close: () => {
      tree.dispose(parameters);
      input.dispose();
      compiled.dispose();
    },
  };
}
