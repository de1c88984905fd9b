/** TensorFlow.js on its WebGPU backend: the runtime that layers models are published for. */
import * as tf from "@tensorflow/tfjs-core";
import { loadLayersModel } from "@tensorflow/tfjs-layers";
import { openBackend } from "../../engines/tfjs.js";
import type { NetworkInMemory, RunningNetwork } from "../task.js";

interface LayersFile {
  readonly modelTopology: object;
  readonly weightsManifest: readonly { readonly weights: tf.io.WeightsManifestEntry[] }[];
}

export async function openTfjs(
  adapter: GPUAdapter,
  { network, model, weights, x }: NetworkInMemory,
): Promise<RunningNetwork> {
  const { backend, errors } = await openBackend(adapter);
  const { modelTopology, weightsManifest } = JSON.parse(new TextDecoder().decode(model)) as LayersFile;
  const weightSpecs = weightsManifest.flatMap((group) => group.weights);
  const loaded = await loadLayersModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData: weights.buffer }));
  const input = tf.tensor4d(x, [...network.input]);
  return {
    device: backend.device,
    run: async () => {
      const result = loaded.predict(input) as tf.Tensor;
      const values = (await result.data()) as Float32Array;
      result.dispose();
      if (errors.length > 0) throw new Error(errors.splice(0)[0]);
      return values;
    },
    close: () => {
      loaded.dispose();
      input.dispose();
      // It stays registered until the next one is.
      backend.dispose();
    },
  };
}
