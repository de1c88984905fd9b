/** TensorFlow.js on its WebGPU backend: variables, `tf.train`, channels last. */
import * as tf from "@tensorflow/tfjs-core";
import { permute } from "../../engine.js";
import { HWIO_TO_OIHW, NCHW_TO_NHWC, OIHW_TO_HWIO, openBackend, submitAll } from "../../engines/tfjs.js";
import type { Layer, Network, NormLayer, Update } from "../networks.js";
import { normsOf, type Start, type Values } from "../start.js";
import type { Trainer } from "../trainer.js";

/** PyTorch's. */
const EPSILON = 1e-5;
const KEPT = 0.9;

type Variables = Readonly<Record<string, tf.Variable>>;

export async function openTfjs(adapter: GPUAdapter, network: Network, start: Start): Promise<Trainer> {
  const { backend, errors } = await openBackend(adapter);
  const inputs = linearInputs(network.layers);
  const variables = Object.fromEntries(
    [...start.parameters].map(([name, { shape, values }]) => {
      return [name, tf.variable(toOwnOrder(values, shape, inputs.get(name)))] as const;
    }),
  );
  const statistics = Object.fromEntries(
    normsOf(network.layers).flatMap(({ name, channels }) => [
      [`${name}.mean`, tf.variable(tf.zeros([channels]), false)],
      [`${name}.variance`, tf.variable(tf.ones([channels]), false)],
    ]),
  );
  const run = runner({ ...variables, ...statistics });
  const optimizer = optimizerOf(network.update);
  const [batch, channels, height, width] = network.input;
  const pixels = permute(start.x, network.input, NCHW_TO_NHWC);
  const lossOf = lossFunction(network, start);
  const learned = Object.values(variables);
  const losses: number[] = [];
  let pending: Promise<Float32Array>[] = [];
  return {
    name: "tfjs-webgpu",
    device: backend.device,
    step: () => {
      const loss = tf.tidy(() => {
        const x = tf.tensor4d(pixels, [batch, height, width, channels]);
        const compare = lossOf();
        const value = optimizer.minimize(() => compare(run(network.layers, x)), true, learned);
        if (!value) throw new Error("the optimizer gave no loss");
        return value;
      });
      pending.push(loss.data().then((values) => values as Float32Array));
      void pending[pending.length - 1].finally(() => loss.dispose());
      return Promise.resolve();
    },
    finish: async () => {
      const read = await Promise.all(pending);
      losses.push(...read.map(([loss]) => loss));
      pending = [];
      await submitAll(backend, errors);
    },
    losses,
    read: async (name) => {
      const values = (await variables[name].data()) as Float32Array;
      const { shape } = variables[name];
      return shape.length === 4 ? permute(values, shape, HWIO_TO_OIHW) : fromOwnRows(values, shape, inputs.get(name));
    },
    close: () => {
      optimizer.dispose();
      // The backend goes when the next is registered.
      tf.dispose([variables, statistics]);
    },
  };
}

const optimizerOf = (update: Update): tf.Optimizer =>
  update.kind === "sgd"
    ? tf.train.momentum(update.lr, update.momentum)
    : tf.train.adam(update.lr, 0.9, 0.999, update.eps);

/** A function that uploads what a step compares with, and gives the loss of a result. */
function lossFunction({ loss }: Network, { target }: Start): () => (result: tf.Tensor) => tf.Scalar {
  if (loss.kind === "crossEntropy") {
    return () => {
      const targets = tf.oneHot(tf.tensor1d(Int32Array.from(target), "int32"), loss.classes);
      return (result) => tf.losses.softmaxCrossEntropy<tf.Tensor, tf.Scalar>(targets, result);
    };
  }
  const [batch, channels, height, width] = loss.shape;
  const values = permute(target, loss.shape, NCHW_TO_NHWC);
  return () => {
    const targets = tf.tensor4d(values, [batch, height, width, channels]);
    return (result) => tf.losses.meanSquaredError<tf.Tensor, tf.Scalar>(targets, result);
  };
}

/** Maps `[C, H, W]` that linear layers take as rows, by the weights' names: here they are `[H, W, C]`. */
function linearInputs(layers: readonly Layer[]): Map<string, readonly [number, number, number]> {
  return new Map(
    layers.flatMap((layer) => (layer.kind === "linear" ? [[`${layer.name}.weight`, layer.map] as const] : [])),
  );
}

/** Filters to [kh, kw, in, out], linear weights to [in, out]. */
function toOwnOrder(values: Values, shape: readonly number[], map?: readonly [number, number, number]): tf.Tensor {
  if (shape.length === 4) {
    return tf.tensor4d(
      permute(values, shape, OIHW_TO_HWIO),
      OIHW_TO_HWIO.map((axis) => shape[axis]) as [number, number, number, number],
    );
  }
  if (!map) return tf.tensor1d(values);
  const [outputs, rows] = shape;
  return tf.tensor2d(permute(values, [outputs, ...map], [2, 3, 1, 0]), [rows, outputs]);
}

function fromOwnRows(
  values: Float32Array,
  shape: readonly number[],
  map?: readonly [number, number, number],
): Float32Array {
  if (!map) return values;
  const [channels, height, width] = map;
  return permute(values, [height, width, channels, shape[1]], [3, 2, 0, 1]);
}

/** Runs layers as forward passes. */
function runner(variables: Variables): (layers: readonly Layer[], x: tf.Tensor) => tf.Tensor {
  /** As `tf.layers.batchNormalization` does it. */
  const norm = ({ name, channels }: NormLayer, x: tf.Tensor4D): tf.Tensor => {
    const { mean, variance } = tf.moments(x, [0, 1, 2]);
    const count = x.size / channels;
    move(variables[`${name}.mean`], mean);
    move(variables[`${name}.variance`], tf.mul(variance, count / (count - 1)));
    const [weight, bias] = [variables[`${name}.weight`], variables[`${name}.bias`]] as tf.Tensor1D[];
    return tf.batchNorm(x, mean as tf.Tensor1D, variance as tf.Tensor1D, bias, weight, EPSILON);
  };
  const runLayer = (given: tf.Tensor, layer: Layer): tf.Tensor => {
    const x = given as tf.Tensor4D;
    switch (layer.kind) {
      case "conv": {
        const filter = variables[`${layer.name}.weight`] as tf.Tensor4D;
        return tf.fused.conv2d({
          ...{ x, filter, strides: layer.stride, pad: layer.padding, dataFormat: "NHWC" },
          ...(layer.bias && { bias: variables[`${layer.name}.bias`] }),
          activation: layer.relu ? "relu" : "linear",
        });
      }
      case "batchNorm":
        return layer.relu ? tf.relu(norm(layer, x)) : norm(layer, x);
      case "maxPool":
        return tf.maxPool(x, layer.kernel, layer.stride, layer.padding);
      case "averagePool":
        return tf.avgPool(x, layer.kernel, layer.stride, layer.padding);
      case "residual":
        return tf.relu(tf.add(norm(layer.norm, run(layer.body, x) as tf.Tensor4D), run(layer.shortcut, x)));
      case "sum":
        return tf.add(x, run(layer.body, x));
      case "concat":
        return tf.concat(
          layer.branches.map((branch) => run(branch, x) as tf.Tensor4D),
          3,
        );
      case "upsample": {
        const [, height, width] = x.shape;
        return tf.image.resizeNearestNeighbor(x, [height * layer.factor, width * layer.factor]);
      }
      case "globalAverage":
        return tf.mean(x, [1, 2]);
      case "linear": {
        const weight = variables[`${layer.name}.weight`] as tf.Tensor2D;
        const [rows] = weight.shape;
        const bias = variables[`${layer.name}.bias`];
        return tf.fused.matMul({ a: tf.reshape<tf.Rank.R2>(given, [-1, rows]), b: weight, bias });
      }
    }
  };
  const run = (layers: readonly Layer[], x: tf.Tensor): tf.Tensor => layers.reduce(runLayer, x);
  return run;
}

function move(running: tf.Variable, batch: tf.Tensor): void {
  running.assign(tf.add(tf.mul(running, KEPT), tf.mul(batch, 1 - KEPT)));
}
