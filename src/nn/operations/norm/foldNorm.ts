/** Batch norm folded into a convolution's weight and bias, as an operation. */
import kernel from "../../../../shaders/nn/fold_norm.wgsl";
import { dispatch } from "../../../planning/solver.js";
import { named, type Resize, type TensorOperation, type TensorSpec } from "../../../planning/tensorOperation.js";
import { product } from "../../../problem/geometry.js";
import { splitWeight, weightStrides, type WeightOrder } from "../../../problem/layout.js";
import { elementOf, workgroupsFor } from "../../core/elements.js";
import { makeOperation, positive, resizedSpec } from "../../core/operation.js";

export interface Folding {
  readonly weight: TensorSpec;
  /** The weight's axes; of a transposed convolution those of the convolution behind it, whose out channels are its in channels. */
  readonly order: WeightOrder;
  /** The groups of a transposed convolution; undefined of others. */
  readonly transposed: number | undefined;
  readonly eps: number;
  /** Which of the optional operands there are. */
  readonly parts: { readonly bias: boolean; readonly gamma: boolean; readonly beta: boolean };
}

/** Extents of the weight along its axes of out and in channels, taps, and elements between neighbours along each. */
function axesOf({ weight, order, transposed }: Pick<Folding, "weight" | "order" | "transposed">) {
  const { out, in: inputs, spatial } = splitWeight(weight.shape, order);
  const taps = product(spatial);
  const strides = weightStrides(order, out, inputs, taps);
  return transposed === undefined
    ? { out, inputs, taps, outStride: strides.out, inStride: strides.in, tapStride: strides.tap }
    : { out: inputs, inputs: out, taps, outStride: strides.in, inStride: strides.out, tapStride: strides.tap };
}

/** In and out channels of the convolution, where a weight of a convolution with groups has the in channels of one. */
export function channelsOf(folding: Pick<Folding, "weight" | "order" | "transposed">) {
  const { out, inputs } = axesOf(folding);
  return { out: out * (folding.transposed ?? 1), inputs };
}

export function foldNormOperation(folding: Folding): TensorOperation {
  const { weight, order, transposed, eps, parts } = folding;
  const { out, inputs, taps, outStride, inStride, tapStride } = axesOf(folding);
  const groups = transposed ?? 1;
  const channels = groups * out;
  const perChannel: TensorSpec = { shape: [channels], dtype: "float32" };
  const bias: TensorSpec = { shape: [channels], dtype: weight.dtype };
  const elements = product(weight.shape);
  return makeOperation({
    name: "foldBatchNorm",
    options: { order, transposed, eps },
    operands: {
      weight,
      ...(parts.bias ? { bias } : {}),
      ...(parts.gamma ? { gamma: perChannel } : {}),
      ...(parts.beta ? { beta: perChannel } : {}),
      runningMean: perChannel,
      runningVar: perChannel,
    },
    results: { result: weight, biasResult: bias },
    // Of several groups, in channels are as many times as many.
    ...(groups === 1 && {
      resized: (to: Resize) => foldNormOperation({ ...folding, weight: resizedSpec(weight, to) }),
    }),
    trialValues: { runningVar: positive },
    solvers: [
      {
        name: "elementwise",
        plan: (capabilities) => ({
          dispatches: [
            dispatch(kernel, {
              constants: { HAS_BIAS: parts.bias, HAS_WEIGHT: parts.gamma, HAS_BETA: parts.beta },
              types: { Element: elementOf(weight.dtype, capabilities) },
              uniforms: {
                elements,
                channels,
                inputs,
                inStride,
                outPerGroup: out,
                outStride,
                inPerGroup: inputs / groups,
                eps,
              },
              bindings: {
                weight: named("weight"),
                bias: parts.bias ? named("bias") : "unused",
                gamma: parts.gamma ? named("gamma") : "unused",
                beta: parts.beta ? named("beta") : "unused",
                runningMean: named("runningMean"),
                runningVariance: named("runningVar"),
                result: named("result"),
                biasResult: named("biasResult"),
              },
              workgroups: workgroupsFor(elements, capabilities),
            }),
          ],
          scratchBytes: {},
        }),
      },
    ],
    compute({ weight: values, bias: shifts, gamma, beta, runningMean, runningVar }) {
      const has = (there: boolean, list: ArrayLike<number>, c: number, otherwise: number): number =>
        there ? list[c] : otherwise;
      const factors = Float64Array.from(runningVar, (variance, c) => {
        return has(parts.gamma, gamma, c, 1) / Math.sqrt(variance + eps);
      });
      const result = new Float64Array(elements);
      for (let o = 0; o < out; o++) {
        for (let i = 0; i < inputs; i++) {
          const channel = Math.floor((i * groups) / inputs) * out + o;
          for (let t = 0; t < taps; t++) {
            const place = o * outStride + i * inStride + t * tapStride;
            result[place] = values[place] * factors[channel];
          }
        }
      }
      const biasResult = factors.map((factor, c) => {
        return (has(parts.bias, shifts, c, 0) - runningMean[c]) * factor + has(parts.beta, beta, c, 0);
      });
      return { result, biasResult };
    },
  });
}
