/** jax-js: `valueAndGrad` of the loss and the update, all of a step compiled by one `jit`; channels first. */
import {
  type Array as JaxArray,
  blockUntilReady,
  defaultDevice,
  getWebGPUDevice,
  init,
  jit,
  lax,
  nn,
  numpy as np,
  tree,
  valueAndGrad,
} from "@jax-js/jax";
import type { Layer, Network, NormLayer, PoolLayer, Update } from "../networks.js";
import { normsOf, type Start } from "../start.js";
import type { Trainer } from "../trainer.js";

/** PyTorch's. */
const EPSILON = 1e-5;
const KEPT = 0.9;

export type Arrays = Record<string, JaxArray>;

export async function openJax(network: Network, start: Start): Promise<Trainer> {
  await init("webgpu");
  defaultDevice("webgpu");
  const made = [...start.parameters];
  let parameters: Arrays = Object.fromEntries(
    made.map(([name, { values, shape }]) => [name, np.array(values, { shape: [...shape] })]),
  );
  let momenta = momentaOf(network.update, start);
  let statistics: Arrays = Object.fromEntries(
    normsOf(network.layers).flatMap(({ name, channels }) => [
      [`${name}.mean`, np.zeros([channels])],
      [`${name}.variance`, np.ones([channels])],
    ]),
  );
  const compiled = jit(stepFunction(network));
  const losses: number[] = [];
  let pending: Promise<number>[] = [];
  return {
    name: "jax-js",
    device: getWebGPUDevice(),
    step: () => {
      const x = np.array(start.x, { shape: [...network.input] });
      const [loss, ...next] = compiled(parameters, momenta, statistics, x, targetOf(network, start));
      [parameters, momenta, statistics] = next;
      pending.push(loss.data().then(([value]) => value));
      return Promise.resolve();
    },
    finish: async () => {
      losses.push(...(await Promise.all(pending)));
      pending = [];
      await blockUntilReady([parameters, momenta, statistics]);
    },
    losses,
    read: async (name) => (await parameters[name].ref.data()) as Float32Array,
    close: () => {
      tree.dispose([parameters, momenta, statistics]);
      compiled.dispose();
    },
  };
}

/** Labels, or values. */
const targetOf = ({ loss }: Network, { target, targetShape }: Start): JaxArray =>
  loss.kind === "crossEntropy"
    ? np.array(Int32Array.from(target), { dtype: np.int32 })
    : np.array(target, { shape: [...targetShape] });

/** Of SGD one a parameter; of Adam two, and the powers of its betas. */
function momentaOf(update: Update, { parameters }: Start): Arrays {
  const zeros = (suffix: string): Arrays =>
    Object.fromEntries([...parameters].map(([name, { shape }]) => [name + suffix, np.zeros([...shape])]));
  return update.kind === "sgd"
    ? zeros("")
    : { ...zeros(".first"), ...zeros(".second"), power1: np.ones([1]), power2: np.ones([1]) };
}

/** Uses all up. @returns parameters and momenta anew */
function updated(update: Update, parameters: Arrays, momenta: Arrays, gradients: Arrays): [Arrays, Arrays] {
  const names = Object.keys(parameters);
  const [next, moved]: [Arrays, Arrays] = [{}, {}];
  if (update.kind === "sgd") {
    for (const name of names) {
      moved[name] = momenta[name].mul(update.momentum).add(gradients[name]);
      next[name] = parameters[name].sub(moved[name].ref.mul(update.lr));
    }
    return [next, moved];
  }
  const [beta1, beta2] = [0.9, 0.999];
  moved.power1 = momenta.power1.mul(beta1);
  moved.power2 = momenta.power2.mul(beta2);
  for (const name of names) {
    const [first, second] = [`${name}.first`, `${name}.second`];
    moved[first] = momenta[first].mul(beta1).add(gradients[name].ref.mul(1 - beta1));
    moved[second] = momenta[second].mul(beta2).add(np.square(gradients[name]).mul(1 - beta2));
    const mean = moved[first].ref.div(moved.power1.ref.neg().add(1));
    const deviation = np.sqrt(moved[second].ref.div(moved.power2.ref.neg().add(1))).add(update.eps);
    next[name] = parameters[name].sub(mean.div(deviation).mul(update.lr));
  }
  return [next, moved];
}

/** A function of parameters, momenta, statistics, x and the target, which uses them up: gives the loss and the first three anew. */
function stepFunction({ layers, loss: compared, update }: Network) {
  return (
    parameters: Arrays,
    momenta: Arrays,
    statistics: Arrays,
    x: JaxArray,
    target: JaxArray,
  ): [JaxArray, Arrays, Arrays, Arrays] => {
    const loss = (current: Arrays): [JaxArray, Arrays] => {
      const moved: Arrays = {};
      const result = runner(current, statistics, moved)(layers, x);
      tree.dispose(current);
      if (compared.kind === "meanSquares") return [np.mean(np.square(result.sub(target))), moved];
      const picked = nn.logSoftmax(result).mul(nn.oneHot(target, compared.classes));
      return [np.mean(np.sum(picked, -1)).neg(), moved];
    };
    const [[value, moved], gradients] = valueAndGrad(loss, { hasAux: true })(tree.ref(parameters));
    return [value, ...updated(update, parameters, momenta, gradients), moved];
  };
}

/** Runs layers as forward passes: x is used up, parameters are not. */
export function runner(
  parameters: Arrays,
  statistics: Arrays,
  moved: Arrays,
): (layers: readonly Layer[], x: JaxArray) => JaxArray {
  /** A value a channel, for maps. */
  const perChannel = (name: string): JaxArray => np.reshape(parameters[name].ref, [1, -1, 1, 1]);
  const norm = ({ name, channels }: NormLayer, x: JaxArray): JaxArray => {
    const axes = [0, 2, 3];
    const count = x.size / channels;
    const mean = np.mean(x.ref, axes, { keepdims: true });
    const centred = x.sub(mean.ref);
    const variance = np.mean(np.square(centred.ref), axes, { keepdims: true });
    const move = (key: string, batch: JaxArray): void => {
      const running = statistics[`${name}.${key}`].mul(KEPT);
      moved[`${name}.${key}`] = running.add(lax.stopGradient(np.reshape(batch, [channels])).mul(1 - KEPT));
    };
    move("mean", mean);
    move("variance", variance.ref.mul(count / (count - 1)));
    const scaled = centred.div(np.sqrt(variance.add(EPSILON)));
    return scaled.mul(perChannel(`${name}.weight`)).add(perChannel(`${name}.bias`));
  };
  const runLayer = (x: JaxArray, layer: Layer): JaxArray => {
    switch (layer.kind) {
      case "conv": {
        const { name, stride, padding, bias, relu } = layer;
        const sides: [number, number] = [padding, padding];
        const y = lax.conv(x, parameters[`${name}.weight`].ref, [stride, stride], [sides, sides]);
        const sum = bias ? y.add(perChannel(`${name}.bias`)) : y;
        return relu ? nn.relu(sum) : sum;
      }
      case "batchNorm":
        return layer.relu ? nn.relu(norm(layer, x)) : norm(layer, x);
      case "maxPool":
        return pool(layer, x, (window) => np.max(window));
      case "averagePool":
        return pool(layer, x, (window) => np.mean(window));
      case "residual": {
        const shortcut = run(layer.shortcut, x.ref);
        return nn.relu(norm(layer.norm, run(layer.body, x)).add(shortcut));
      }
      case "sum":
        return run(layer.body, x.ref).add(x);
      case "concat": {
        const branches = layer.branches.map((branch) => run(branch, x.ref));
        x.dispose();
        return np.concatenate(branches, 1);
      }
      case "upsample":
        return np.repeat(np.repeat(x, layer.factor, 2), layer.factor, 3);
      case "globalAverage":
        return np.mean(x, [2, 3]);
      case "linear": {
        const { name, map } = layer;
        const rows = np.reshape(x, [-1, map[0] * map[1] * map[2]]);
        return np
          .matmul(rows, np.matrixTranspose(parameters[`${name}.weight`].ref))
          .add(parameters[`${name}.bias`].ref);
      }
    }
  };
  const run = (layers: readonly Layer[], x: JaxArray): JaxArray => layers.reduce(runLayer, x);
  return run;
}

/** Padded with zeros: the layers before have relu, and the mean has no padding here. */
function pool({ kernel, stride, padding }: PoolLayer, x: JaxArray, compute: (window: JaxArray) => JaxArray): JaxArray {
  const sides: [number, number] = [padding, padding];
  const padded = padding === 0 ? x : np.pad(x, [[0, 0], [0, 0], sides, sides]);
  return lax.reduceWindow(padded, compute, [1, 1, kernel, kernel], [1, 1, stride, stride]);
}
