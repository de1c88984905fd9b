/** Operations of networks as layers of well-known ones have them: forward, and by a tape their gradients. */
import {
  accumulate,
  accuracy,
  adamw,
  add,
  advanceDropout,
  avgPool2d,
  batchNorm,
  bceWithLogits,
  clipGradNorm,
  concat,
  crossEntropy,
  dropout,
  dropoutState,
  foldBatchNorm,
  globalAveragePool,
  globalMaxPool,
  groupNorm,
  instanceNorm,
  interpolate,
  layerNorm,
  logSoftmax,
  maxPool2d,
  mean,
  mseLoss,
  mul,
  pad,
  permute,
  pixelShuffle,
  sgd,
  softmax,
  split,
  sum,
  Tape,
} from "../../../src/nn/index.js";
import { runOne } from "../../../src/nn/core/operation.js";
import { enlargeFiltersOperation } from "../../../src/nn/operations/resizing/enlargeFilters.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import type { Recording } from "./recorded.js";

export interface NetworkCase {
  readonly name: string;
  readonly run: (recording: Recording) => void;
}

/** ResNet's first stage, by 32 pictures, in both layouts; ViT's tokens; ImageNet's logits, and those of pixels. */
const MAPS = [32, 64, 56, 56];
const LAST = [32, 56, 56, 64];
const TOKENS = [32, 196, 768];
const LOGITS = [256, 1000];
const PIXELS = [8, 21, 128, 128];

/** The function's results, and the gradients of its inputs. */
const both =
  (compute: (...inputs: Tensor[]) => Tensor, ...shapes: readonly (readonly number[])[]) =>
  ({ engine, tensor }: Recording): void => {
    const inputs = shapes.map((shape) => tensor(shape));
    const tape = new Tape(engine);
    const y = tape.run(() => compute(...inputs));
    tape.gradients(y, inputs, { upstream: tensor(y.shape) });
  };

/** Likewise, of the first input alone. */
const byFirst =
  (compute: (...inputs: Tensor[]) => Tensor, ...shapes: readonly (readonly number[])[]) =>
  ({ engine, tensor }: Recording): void => {
    const inputs = shapes.map((shape) => tensor(shape));
    const tape = new Tape(engine);
    const y = tape.run(() => compute(...inputs));
    tape.gradients(y, [inputs[0]], { upstream: tensor(y.shape) });
  };

const affine = { weight: [64], bias: [64] };
const LAYOUTS = [
  ["channels-first", MAPS],
  ["channels-last", LAST],
] as const;

/** Its last. */
const LATE = [
  ["channels-first", [32, 512, 7, 7]],
  ["channels-last", [32, 7, 7, 512]],
] as const;

export const NETWORK_CASES: readonly NetworkCase[] = [
  { name: "add, relu", run: both((a, b) => add(a, b, { activation: "relu" }), MAPS, MAPS) },
  { name: "mul by channel", run: both((a, b) => mul(a, b), MAPS, [64]) },
  { name: "sum", run: both((x) => sum(x), MAPS) },
  { name: "mean of channels", run: both((x) => mean(x, { axes: [0, 2, 3] }), MAPS) },
  { name: "mseLoss", run: byFirst((x, t) => mseLoss(x, t), MAPS, MAPS) },
  { name: "bceWithLogits", run: byFirst((x, t) => bceWithLogits(x, t), PIXELS, PIXELS) },
  ...LAYOUTS.flatMap(([layout, shape]): NetworkCase[] => [
    {
      name: `maxPool2d 3x3, stride 2, ${layout}`,
      run: both((x) => maxPool2d(x, { kernel: 3, stride: 2, padding: 1, layout }), shape),
    },
    { name: `avgPool2d 2x2, ${layout}`, run: both((x) => avgPool2d(x, { kernel: 2, layout }), shape) },
    { name: `globalAveragePool, ${layout}`, run: both((x) => globalAveragePool(x, { layout }), shape) },
    { name: `globalMaxPool, ${layout}`, run: both((x) => globalMaxPool(x, { layout }), shape) },
    {
      name: `batchNorm, relu, in training, ${layout}`,
      run: both(
        (x, weight, bias) => batchNorm(x, { weight, bias, training: true, activation: "relu", layout }),
        shape,
        affine.weight,
        affine.bias,
      ),
    },
    {
      name: `groupNorm of 32, ${layout}`,
      run: both((x, weight, bias) => groupNorm(x, 32, { weight, bias, layout }), shape, affine.weight, affine.bias),
    },
    { name: `interpolate x2, nearest, ${layout}`, run: both((x) => interpolate(x, { scaleFactor: 2, layout }), shape) },
    {
      name: `interpolate x2, bilinear, ${layout}`,
      run: both((x) => interpolate(x, { scaleFactor: 2, mode: "bilinear", layout }), shape),
    },
    { name: `pad 1, ${layout}`, run: both((x) => pad(x, { padding: 1, layout }), shape) },
    {
      name: `pad 1, reflect, ${layout}`,
      run: both((x) => pad(x, { padding: 1, paddingMode: "reflect", layout }), shape),
    },
  ]),
  {
    name: "batchNorm, evaluated",
    run: byFirst(
      (x, runningMean, runningVar, weight, bias) => batchNorm(x, { runningMean, runningVar, weight, bias }),
      MAPS,
      ...[1, 2, 3, 4].map(() => affine.weight),
    ),
  },
  { name: "instanceNorm", run: both((x) => instanceNorm(x), MAPS) },
  ...LATE.map(([layout, shape]): NetworkCase => ({
    name: `groupNorm of 32, residual, silu, 7x7, ${layout}`,
    run: both(
      (x, residual, weight, bias) => groupNorm(x, 32, { residual, weight, bias, activation: "silu", layout }),
      shape,
      shape,
      [512],
      [512],
    ),
  })),
  ...LATE.map(([layout, shape]): NetworkCase => ({
    name: `batchNorm, relu, in training, 7x7, ${layout}`,
    run: both(
      (x, weight, bias) => batchNorm(x, { weight, bias, training: true, activation: "relu", layout }),
      shape,
      [512],
      [512],
    ),
  })),
  { name: "layerNorm", run: both((x, weight, bias) => layerNorm(x, [768], { weight, bias }), TOKENS, [768], [768]) },
  {
    name: "foldBatchNorm",
    run({ tensor }) {
      foldBatchNorm(tensor([64, 64, 3, 3]), { runningMean: tensor([64]), runningVar: tensor([64]) });
    },
  },
  { name: "softmax of 1000", run: both((x) => softmax(x), LOGITS) },
  { name: "logSoftmax of pixels", run: both((x) => logSoftmax(x), PIXELS) },
  { name: "crossEntropy of 1000", run: byFirst((x, t) => crossEntropy(x, t), LOGITS, [256]) },
  {
    name: "crossEntropy of distributions, smoothed",
    run: byFirst((x, t) => crossEntropy(x, t, { labelSmoothing: 0.1 }), LOGITS, LOGITS),
  },
  { name: "crossEntropy of pixels", run: byFirst((x, t) => crossEntropy(x, t), PIXELS, [8, 128, 128]) },
  {
    name: "accuracy of 1000",
    run({ tensor }) {
      accuracy(tensor(LOGITS), tensor([256]));
    },
  },
  {
    name: "concat and split",
    run({ tensor }) {
      split(concat([tensor(MAPS), tensor(MAPS)]), [64, 64]);
    },
  },
  { name: "permute to channels-last", run: both((x) => permute(x, [0, 2, 3, 1]), MAPS) },
  {
    name: "filters of a map enlarged 4 times",
    run({ tensor }) {
      const filters = { groups: 1, outChannels: 64, inChannels: 64, kernel: [3, 3], dilation: [1, 1], factor: [4, 4] };
      runOne(enlargeFiltersOperation(filters, "float32"), { weight: tensor([64, 64, 3, 3]) });
    },
  },
  { name: "pixelShuffle", run: both((x) => pixelShuffle(x, 2), MAPS) },
  {
    name: "dropout",
    run: (recording) => {
      const state = dropoutState(recording.engine, 1);
      both((x) => dropout(x, { state }), MAPS)(recording);
      advanceDropout(state);
    },
  },
  {
    name: "sgd with momentum",
    run({ engine, tensor }) {
      sgd(engine, [tensor([1_000_000])], { lr: 0.1, momentum: 0.9, weightDecay: 1e-4 }).step([tensor([1_000_000])]);
    },
  },
  {
    name: "adamw, clipped",
    run({ engine, tensor }) {
      adamw(engine, [tensor([1_000_000])], { lr: 1e-3, clipNorm: 1 }).step([tensor([1_000_000])]);
    },
  },
  {
    name: "clipGradNorm, accumulate",
    run({ tensor }) {
      clipGradNorm([tensor([1_000_000])], 1);
      accumulate([tensor([1_000_000])], [tensor([1_000_000])]);
    },
  },
];
