/** This repository's engine, as it is built in dist/. */
import { createEngine, type Engine, type Tensor } from "webgpu-conv";
import { version } from "../../../../package.json";
import { type LayerCase, OWN_ENGINE, type PeerEngine, preparedPass } from "../engine.js";
import type { Pass } from "../layers.js";

export interface OwnEngine extends PeerEngine {
  readonly adapter: Engine["adapter"];
}

export async function openWebgpuConv(tune: boolean): Promise<OwnEngine> {
  // The first run of each layer compiles and is not timed; waiting for it waits for its tuning.
  const engine = await createEngine({ tune: tune ? "first-use" : "off" });
  return {
    name: OWN_ENGINE,
    version,
    adapter: engine.adapter,
    prepare: (layerCase, pass) => Promise.resolve(prepare(engine, layerCase, pass)),
  };
}

function prepare(engine: Engine, { layer, problem, ...values }: LayerCase, pass: Pass) {
  const x = engine.tensor(values.x, problem.inputShape);
  const w = engine.tensor(values.w, problem.weightShape);
  const dy = engine.tensor(values.dy, problem.outputShape);
  const { options } = layer;
  const calls: Record<Pass, () => Tensor> = {
    forward: () => engine.conv2d(x, w, options),
    inputGradient: () => engine.conv2dInputGradient(dy, w, x.shape, options),
    weightGradient: () => engine.conv2dWeightGradient(dy, x, w.shape, options),
  };
  return preparedPass({
    enqueue: calls[pass],
    finish: () => engine.finish(),
    read: (result) => result.data(),
    release: (result) => result.dispose(),
    close: () => [x, w, dy].forEach((tensor) => tensor.dispose()),
  });
}
