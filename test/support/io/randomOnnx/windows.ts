/** Random convolutions, pools and what else goes over positions. */
import type { Random } from "../../data.js";
import type { AttributeValue } from "../onnxFile.js";
import { constant, count, type Generator, list, type Made, positions, real, UNIT, type Value } from "./value.js";

interface Windows {
  readonly kernel: readonly number[];
  readonly attributes: Record<string, AttributeValue>;
  readonly extents: readonly number[];
}

/** Kernels, strides, pads and dilations that fit; attributes that are as when absent are left out now and then. */
function windows(random: Random, x: Value, kind: "conv" | "max" | "average", opset: number): Windows | undefined {
  const rank = x.shape.length - 2;
  const kernel = list(rank, () => random.integer(1, 3));
  const strides = list(rank, () => random.integer(1, 3));
  const isDilated = (kind === "conv" || (kind === "max" && opset >= 10)) && random.next() < 0.4;
  const dilations = kernel.map(() => (isDilated ? random.integer(1, 2) : 1));
  const reach = kernel.map((taps, i) => dilations[i] * (taps - 1) + 1);
  const auto = random.pick(["", "", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]);
  // Pads of pools are below the kernel, so that no window has padding alone.
  const pads = list(2 * rank, (i) => random.integer(0, kind === "conv" ? 2 : kernel[i % rank] - 1));
  const isSame = auto.startsWith("SAME");
  // ONNX Runtime has no dilated kernels there, or (pools) goes by the kernel without its dilation, against the specification, and
  // refuses steps beyond the kernel.
  if (isSame && (isDilated || strides.some((stride, i) => stride > kernel[i]))) return undefined;
  // A dilated window may have taps on both sides of what is narrower than its gaps, and none in it.
  if (kind === "max" && dilations.some((distance, i) => positions(x)[i] < distance)) return undefined;
  const isPadded = auto === "" || auto === "NOTSET";
  const isCeil = kind !== "conv" && opset >= 10 && isPadded && random.next() < 0.4;
  const extents = positions(x).map((extent, i) => {
    if (isSame) return Math.ceil(extent / strides[i]);
    const room = extent + (isPadded ? pads[i] + pads[rank + i] : 0) - reach[i];
    if (room < 0) return 0;
    if (!isCeil) return Math.floor(room / strides[i]) + 1;
    // The last window begins in the input or the padding before it.
    const most = Math.ceil(room / strides[i]) + 1;
    return (most - 1) * strides[i] >= extent + pads[i] ? most - 1 : most;
  });
  if (extents.includes(0)) return undefined;
  const keeps = (values: readonly number[], usual: number): boolean =>
    values.some((value) => value !== usual) || random.next() < 0.3;
  const attributes: Record<string, AttributeValue> = {
    ...((kind !== "conv" || random.next() < 0.5) && { kernel_shape: kernel }),
    ...(keeps(strides, 1) && { strides }),
    ...(isDilated && { dilations }),
    ...(auto !== "" && { auto_pad: auto }),
    ...(isPadded && keeps(pads, 0) && { pads }),
    ...(isCeil && { ceil_mode: 1 }),
  };
  return { kernel, attributes, extents };
}

/** Sums of so many products: each term is rounded once, and each partial sum. */
const summed = (x: Value, shape: readonly number[], weight: number, terms: number, bias: number): Made["results"] => {
  const most = weight * x.most + bias;
  return [{ shape, most, error: weight * x.error + (terms + 2) * UNIT * most }];
};

const conv: Generator = (random, x, opset) => {
  const [samples, channels] = x.shape;
  const group = random.pick(list(channels, (i) => i + 1).filter((groups) => channels % groups === 0));
  const found = windows(random, x, "conv", opset);
  if (!found) return undefined;
  const outputs = group * random.integer(1, 3);
  const weights = constant([outputs, channels / group, ...found.kernel], () => real(random));
  const bias = random.next() < 0.6 ? constant([outputs], () => real(random)) : undefined;
  const terms = count(weights.shape) / outputs;
  return {
    op: "Conv",
    attributes: { ...found.attributes, ...((group > 1 || random.next() < 0.3) && { group }) },
    constants: bias ? [weights, bias] : [weights],
    results: summed(x, [samples, outputs, ...found.extents], terms, terms, bias ? 1 : 0),
  };
};

const convTranspose: Generator = (random, x) => {
  const [samples, channels] = x.shape;
  const rank = x.shape.length - 2;
  const group = random.pick(list(channels, (i) => i + 1).filter((groups) => channels % groups === 0));
  const perGroup = random.integer(1, 3);
  const kernel = list(rank, () => random.integer(1, 3));
  const strides = list(rank, () => random.integer(1, 3));
  const dilations = list(rank, () => random.integer(1, 2));
  const auto = random.pick(["", "", "VALID", "SAME_UPPER", "SAME_LOWER"]);
  const isExtended = !auto.startsWith("SAME") && random.next() < 0.5;
  const output_padding = list(rank, (i) => (isExtended ? random.integer(0, strides[i] - 1) : 0));
  const pads = list(2 * rank, () => (auto === "" ? random.integer(0, 1) : 0));
  const isSame = auto.startsWith("SAME");
  // Where kernels are shorter than steps, ONNX Runtime has fewer results than `extent * stride`, which the specification asks for.
  if (isSame && kernel.some((taps, i) => dilations[i] * (taps - 1) + 1 < strides[i])) return undefined;
  const extents = positions(x).map((extent, i) => {
    if (isSame) return extent * strides[i];
    const reach = dilations[i] * (kernel[i] - 1) + 1;
    return (extent - 1) * strides[i] + reach + output_padding[i] - pads[i] - pads[rank + i];
  });
  if (extents.some((extent) => extent < 1)) return undefined;
  const weights = constant([channels, perGroup, ...kernel], () => real(random));
  const bias = random.next() < 0.5 ? [constant([perGroup * group], () => real(random))] : [];
  const terms = (channels / group) * count(kernel);
  return {
    op: "ConvTranspose",
    attributes: {
      strides,
      dilations,
      group,
      ...(isExtended && { output_padding }),
      ...(auto === "" ? { pads } : { auto_pad: auto }),
    },
    constants: [weights, ...bias],
    results: summed(x, [samples, perGroup * group, ...extents], terms, terms, bias.length),
  };
};

const pool =
  (kind: "max" | "average"): Generator =>
  (random, x, opset) => {
    const found = windows(random, x, kind, opset);
    if (!found) return undefined;
    const { attributes, kernel, extents } = found;
    if (kind === "average" && opset >= 7 && random.next() < 0.5) attributes.count_include_pad = 1;
    const error = kind === "max" ? x.error : x.error + (count(kernel) + 2) * UNIT * x.most;
    return {
      op: kind === "max" ? "MaxPool" : "AveragePool",
      attributes,
      results: [{ shape: [...x.shape.slice(0, 2), ...extents], most: x.most, error }],
    };
  };

const globalPool =
  (op: "GlobalAveragePool" | "GlobalMaxPool"): Generator =>
  (_, x) => ({
    op,
    results: [
      {
        shape: x.shape.map((extent, axis) => (axis < 2 ? extent : 1)),
        most: x.most,
        error: x.error + (count(positions(x)) + 2) * UNIT * x.most,
      },
    ],
  });

export const WINDOWS: readonly Generator[] = [
  conv,
  conv,
  convTranspose,
  pool("max"),
  pool("average"),
  globalPool("GlobalAveragePool"),
  globalPool("GlobalMaxPool"),
];
