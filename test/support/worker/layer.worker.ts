/** A dedicated worker with an engine of its own: runs the layer that it is sent, and posts the results. */
import { createEngine } from "webgpu-conv";
import type { LayerReply, LayerRequest } from "./protocol.js";

async function run({ input, weight, options, x, w, dy }: LayerRequest): Promise<LayerReply> {
  using engine = await createEngine({ poison: true });
  using inputTensor = engine.tensor(x, input);
  using weightTensor = engine.tensor(w, weight);
  using y = engine.conv2d(inputTensor, weightTensor, options);
  using gradient = engine.tensor(dy, y.shape);
  using dx = engine.conv2dInputGradient(gradient, weightTensor, input, options);
  using dw = engine.conv2dWeightGradient(gradient, inputTensor, weight, options);
  const [yValues, dxValues, dwValues] = await Promise.all([y.data(), dx.data(), dw.data()]);
  return {
    scope: self.constructor.name,
    adapter: engine.adapter.description,
    outputShape: y.shape,
    y: yValues,
    dx: dxValues,
    dw: dwValues,
  };
}

self.addEventListener("message", ({ data }: MessageEvent<LayerRequest>) => {
  void run(data)
    .catch((error: unknown): LayerReply => ({ error: String(error) }))
    .then((reply) => self.postMessage(reply));
});
