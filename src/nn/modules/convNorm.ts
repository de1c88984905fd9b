/** A convolution and the norm behind it, in as few passes as there can be. */
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { BYTES_PER_ELEMENT } from "../../problem/dtype.js";
import { readWeightOrder, transposedWeightLayout } from "../../problem/layout.js";
import type { Tensor } from "../../tensor/tensor.js";
import { contextOf, runOperation, specOf } from "../core/operation.js";
import { activate } from "../operations/activate.js";
import { add } from "../operations/arithmetic.js";
import { foldNormOperation } from "../operations/norm/foldNorm.js";
import { layerTapeOf } from "../tape/step.js";
import type { ConvolutionParts, PlainActivation, Tail, Weights } from "./fusion.js";
import { type Module, requireModule, runAs } from "./module.js";

export interface ConvNormOptions {
  /** Added to what the norm gives: a skip connection. */
  readonly residual?: Tensor;
  /** Applied last. None when absent. */
  readonly activation?: PlainActivation;
}
const OPTIONS = optionKeys<ConvNormOptions>(
  { residual: 1, activation: 1 },
  { tensor: "residual", string: "activation" },
);

/**
 * `activation(norm(conv(x)) + residual)`, for modules of one's own; `layers.sequential` does so by itself. In training the norm adds the
 * residual and applies the activation in its own pass. In evaluation, where no tape records, a batch norm is folded into the
 * convolution's weights and bias: one pass does everything. Folded weights are kept on the device until a parameter or a running
 * statistic changes, and go with the layers' tensors.
 *
 * ```ts
 * forward: (x) => convNorm(conv2, bn2, convNorm(conv1, bn1, x), { residual: x, activation: "relu" }),
 * ```
 *
 * @param conv a convolutional layer; any other module does, in passes of its own
 * @param norm a layer that normalises; likewise
 * @returns a new tensor, the caller's
 * @throws as `conv.forward(x)` and `norm.forward` of its result.
 */
export function convNorm(conv: Module, norm: Module, x: Tensor, options: ConvNormOptions = {}): Tensor {
  requireModule("conv", conv);
  requireModule("norm", norm);
  requireOptions(options, OPTIONS);
  const { fusion } = norm;
  const fits = fusion?.run !== undefined;
  const tail = fits ? options : {};
  const y =
    conv.fusion?.convolution && fusion?.runBehind
      ? fusion.runBehind(conv, x, tail, norm)
      : runBoth(conv, norm, x, tail);
  return fits ? y : finish(y, options);
}

/** One after the other. */
export function runBoth(conv: Module, norm: Module, x: Tensor, tail: Tail): Tensor {
  const between = conv.forward(x);
  const run = norm.fusion?.run;
  let y: Tensor | undefined;
  try {
    y = run ? runAs(norm, between, () => run(between, tail, norm)) : norm.forward(between);
    return y;
  } finally {
    if (between !== x && between !== y) between.dispose();
  }
}

function finish(y: Tensor, { residual, activation }: Tail): Tensor {
  if (!residual && activation === undefined) return y;
  try {
    if (!residual) return activate(y, activation ?? "none");
    return add(y, residual, activation === undefined ? {} : { activation });
  } finally {
    y.dispose();
  }
}

/** A batch norm as a convolution before it sees it. */
export interface EvaluatedNorm {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly runningMean: Tensor;
  readonly runningVar: Tensor;
  readonly eps: number;
}

/** The convolution with the norm folded into its weights; undefined where it cannot be, or where gradients are recorded. */
export function runFolded(
  conv: Module,
  norm: Module,
  values: EvaluatedNorm,
  x: Tensor,
  tail: Tail,
): Tensor | undefined {
  const convolution = conv.fusion?.convolution;
  const tape = layerTapeOf(x);
  if (!convolution || (tape && !tape.absorb)) return undefined;
  const weights = fold(convolution, values, x);
  if (!weights) return undefined;
  try {
    const y = runAs(conv, x, () => convolution.runWith(x, weights, tail));
    tape?.absorb?.(norm, y);
    return y;
  } finally {
    weights.weight.dispose();
    weights.bias?.dispose();
  }
}

function fold(convolution: ConvolutionParts, values: EvaluatedNorm, x: Tensor): Weights | undefined {
  const { weight, bias, rank, outChannels, transposed } = convolution;
  const { weight: gamma, bias: beta, runningMean, runningVar, eps } = values;
  const spec = specOf(weight, "weight");
  const { limits } = contextOf(weight, "weight").core.backend.capabilities ?? {};
  const bytes = weight.size * BYTES_PER_ELEMENT[spec.dtype];
  // Without samples a norm refuses, or means something else. What a device cannot bind runs in pieces, which do not fold.
  if (
    x.shape.length !== rank + 2 ||
    gamma.size !== outChannels ||
    bytes > (limits?.maxStorageBufferBindingSize ?? Infinity)
  )
    return undefined;
  const { order } =
    transposed === undefined ? { order: readWeightOrder(undefined, rank) } : transposedWeightLayout(undefined, rank);
  const parts = { bias: bias !== undefined, gamma: true, beta: true };
  const operation = foldNormOperation({ weight: spec, order, transposed, eps, parts });
  const operands = { weight, ...(bias && { bias }), gamma, beta, runningMean, runningVar };
  const [folded, foldedBias] = runOperation({ ...operation, isKept: true }, operands);
  return { weight: folded, bias: foldedBias };
}
