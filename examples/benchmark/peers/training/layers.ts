/** A network's layers by `webgpu-conv/nn`, on any engine of it. */
import type { Engine, Tensor } from "webgpu-conv";
import {
  adam,
  add,
  avgPool2d,
  batchNorm,
  concat,
  crossEntropy,
  flatten,
  globalAveragePool,
  interpolate,
  linear,
  maxPool2d,
  mseLoss,
  type Optimizer,
  sgd,
} from "webgpu-conv/nn";
import type { Layer, Network, NormLayer, PoolLayer } from "./networks.js";
import { normsOf, type Start, type Values } from "./start.js";

type Tensors = Readonly<Record<string, Tensor>>;

/** Parameters with their first values, and batch norms' running statistics. */
export function makeTensors(
  { layers }: Network,
  start: Start,
  tensor: (values: Values, shape: readonly number[]) => Tensor,
): { readonly parameters: Tensors; readonly statistics: Tensors } {
  const parameters = [...start.parameters].map(([name, { values, shape }]) => [name, tensor(values, shape)] as const);
  const statistics = normsOf(layers).flatMap(({ name, channels }) => [
    [`${name}.mean`, tensor(new Float32Array(channels), [channels])] as const,
    [`${name}.variance`, tensor(new Float32Array(channels).fill(1), [channels])] as const,
  ]);
  return { parameters: Object.fromEntries(parameters), statistics: Object.fromEntries(statistics) };
}

/** Runs layers as forward passes. */
export function runner(engine: Engine, tensors: Tensors): (layers: readonly Layer[], x: Tensor) => Tensor {
  const norm = ({ name, relu }: NormLayer, x: Tensor, residual?: Tensor): Tensor =>
    batchNorm(x, {
      weight: tensors[`${name}.weight`],
      bias: tensors[`${name}.bias`],
      runningMean: tensors[`${name}.mean`],
      runningVar: tensors[`${name}.variance`],
      training: true,
      ...(residual && { residual }),
      ...((relu || residual) && { activation: "relu" }),
    });
  const runLayer = (x: Tensor, layer: Layer): Tensor => {
    switch (layer.kind) {
      case "conv": {
        const { name, stride, padding, bias, relu } = layer;
        const options = { stride, padding, ...(relu && { activation: "relu" as const }) };
        return engine.conv2d(x, tensors[`${name}.weight`], {
          ...options,
          ...(bias && { bias: tensors[`${name}.bias`] }),
        });
      }
      case "batchNorm":
        return norm(layer, x);
      case "maxPool":
        return maxPool2d(x, windowOf(layer));
      case "averagePool":
        return avgPool2d(x, windowOf(layer));
      case "residual":
        return norm(layer.norm, run(layer.body, x), run(layer.shortcut, x));
      case "sum":
        return add(x, run(layer.body, x));
      case "concat":
        return concat(layer.branches.map((branch) => run(branch, x)));
      case "upsample":
        return interpolate(x, { scaleFactor: layer.factor });
      case "globalAverage":
        return flatten(globalAveragePool(x));
      case "linear":
        return linear(flatten(x), tensors[`${layer.name}.weight`], { bias: tensors[`${layer.name}.bias`] });
    }
  };
  const run = (layers: readonly Layer[], x: Tensor): Tensor => layers.reduce(runLayer, x);
  return run;
}

const windowOf = ({ kernel, stride, padding }: PoolLayer) => ({ kernel, stride, padding });

export const lossOf = ({ loss }: Network, result: Tensor, target: Tensor): Tensor =>
  loss.kind === "crossEntropy" ? crossEntropy(result, target) : mseLoss(result, target);

export const optimizerOf = (engine: Engine, parameters: Tensors, { update }: Network): Optimizer =>
  update.kind === "sgd"
    ? sgd(engine, parameters, { lr: update.lr, momentum: update.momentum })
    : adam(engine, parameters, { lr: update.lr, eps: update.eps });
