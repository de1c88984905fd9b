/**
 * The arithmetic of a convolution layer as plain functions, one axis at a time unless said
 * otherwise. No device and no tensor is involved.
 *
 * Notation: W input extent, F filter extent, S stride, P zero padding, D dilation (1: contiguous).
 * Source of the formulas: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning"
 * (arXiv:1603.07285), relations 1 to 15, and PyTorch's Conv2d page for the dilated form.
 */
import { ArgumentError, require, show } from "../base/errors.js";
import { isNumberArray, listOf, type NumberList } from "../base/list.js";
import { optionKeys, requireOptions } from "../base/optionKeys.js";

/** Throws unless `value` is an integer of at least `minimum`; `name` is used in the message. */
export function requireInteger(name: string, value: unknown, minimum: number): asserts value is number {
  require(Number.isSafeInteger(value) && (value as number) >= minimum, () => {
    return `${name} is ${show(value)}; expected an integer of at least ${String(minimum)}`;
  });
}

/** Extent that a filter of `kernel` taps spans when they are `dilation` positions from each other: `D * (F - 1) + 1`. */
export function dilatedExtent(kernel: number, dilation = 1): number {
  requireInteger("kernel", kernel, 1);
  requireInteger("dilation", dilation, 1);
  return dilation * (kernel - 1) + 1;
}

/** What {@link outputSize} and its kin need to know of one axis. */
export interface AxisGeometry {
  /** F: taps of the filter along this axis. */
  readonly kernel: number;
  /** S, 1 when absent. */
  readonly stride?: number;
  /** D, 1 (contiguous) when absent. */
  readonly dilation?: number;
  /** Zero padding: both sides alike, or [begin, end]. 0 when absent; negative values crop. */
  readonly padding?: number | readonly [number, number];
}

const AXIS_KEYS = optionKeys<AxisGeometry>({ kernel: 1, stride: 1, dilation: 1, padding: 1 }, { number: "kernel" });
const FILTER_KEYS = optionKeys<Omit<AxisGeometry, "padding">>(
  { kernel: 1, stride: 1, dilation: 1 },
  { number: "kernel" },
);

function readSides(padding: unknown): readonly unknown[] {
  const sides = typeof padding === "number" ? [padding, padding] : listOf(padding);
  require(sides?.length === 2, () => `padding is ${show(padding)}; expected an integer, or two: [begin, end]`);
  return sides;
}

/**
 * Output extent along one axis: `floor((W + padBegin + padEnd - D * (F - 1) - 1) / S) + 1`.
 * The result is below 1 where the filter does not fit; it is not an error to ask.
 *
 * @throws ArgumentError for fractional or out-of-range values.
 */
export function outputSize(input: number, axis: AxisGeometry): number {
  requireInteger("input", input, 1);
  requireOptions(axis, AXIS_KEYS, "axis");
  const { kernel, stride = 1, dilation = 1, padding = 0 } = axis;
  requireInteger("stride", stride, 1);
  const [begin, end] = readSides(padding);
  requireInteger("padding", begin, -input);
  requireInteger("padding", end, -input);
  return Math.floor((input + begin + end - dilatedExtent(kernel, dilation)) / stride) + 1;
}

/**
 * Zero padding on each side that keeps the size at stride 1: `D * (F - 1) / 2`.
 * Fractional (x.5) for an even dilated extent, where no symmetric padding keeps the size.
 */
export function samePadding(kernel: number, dilation = 1): number {
  return (dilatedExtent(kernel, dilation) - 1) / 2;
}

/**
 * Padding [begin, end] with which the output is `ceil(W / S)`, whatever the kernel ("same"):
 * the total is `max(0, (ceil(W / S) - 1) * S + D * (F - 1) + 1 - W)`. An odd total puts the extra
 * element at the end, or at the beginning with `lower` ("same-lower").
 */
export function sameTotalPadding(
  input: number,
  axis: Omit<AxisGeometry, "padding">,
  lower = false,
): [begin: number, end: number] {
  requireInteger("input", input, 1);
  requireOptions(axis, FILTER_KEYS, "axis");
  require(typeof lower === "boolean", () => `lower is ${show(lower)}; expected a boolean`);
  const { kernel, stride = 1, dilation = 1 } = axis;
  requireInteger("stride", stride, 1);
  const output = Math.ceil(input / stride);
  const total = Math.max(0, (output - 1) * stride + dilatedExtent(kernel, dilation) - input);
  const smaller = Math.floor(total / 2);
  return lower ? [total - smaller, smaller] : [smaller, total - smaller];
}

/** A convolution layer, as the counting functions see it. */
export interface LayerGeometry {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Filter extents, one an axis: [kh, kw] for a 2D layer. */
  readonly kernel: NumberList;
  /** 1 when absent. */
  readonly groups?: number;
  /** Whether the layer has a bias; true when absent. */
  readonly bias?: boolean;
}

const LAYER_KEYS = optionKeys<LayerGeometry>({ inChannels: 1, outChannels: 1, kernel: 1, groups: 1, bias: 1 });

/** The product of a list of extents, one an axis. */
function productOf(name: string, extents: unknown): number {
  const list = listOf(extents);
  require(list !== undefined && list.length >= 1, () => {
    return `${name} is ${show(extents)}; expected a list of extents, one an axis`;
  });
  let result = 1;
  for (const [axis, extent] of list.entries()) {
    requireInteger(`${name}[${String(axis)}]`, extent, 1);
    result *= extent;
  }
  return result;
}

/** Learned numbers of a layer. */
export interface ParameterCount {
  /** Weights of one filter: `F * F * D1 / groups` by parameter sharing. */
  readonly weightsPerFilter: number;
  readonly weights: number;
  readonly biases: number;
  readonly total: number;
}

/**
 * Weights and biases of a layer whose filters are shared over all positions:
 * `F * F * (inChannels / groups)` weights a filter, `outChannels` filters, one bias each.
 */
export function parameterCount(layer: LayerGeometry): ParameterCount {
  requireOptions(layer, LAYER_KEYS, "layer");
  const { inChannels, outChannels, kernel, groups = 1, bias = true } = layer;
  requireInteger("inChannels", inChannels, 1);
  requireInteger("outChannels", outChannels, 1);
  requireInteger("groups", groups, 1);
  require(inChannels % groups === 0 && outChannels % groups === 0, () => {
    return `groups ${String(groups)} must divide inChannels ${String(inChannels)} and outChannels ${String(outChannels)}`;
  });
  require(typeof bias === "boolean", () => `bias is ${show(bias)}; expected a boolean: whether the layer has one`);
  const weightsPerFilter = (productOf("kernel", kernel) * inChannels) / groups;
  const weights = weightsPerFilter * outChannels;
  const biases = bias ? outChannels : 0;
  return { weightsPerFilter, weights, biases, total: weights + biases };
}

/**
 * The same layer if each output position had filters of its own (no parameter sharing, a "locally
 * connected" layer): every count times the number of output positions.
 */
export function unsharedParameterCount(layer: LayerGeometry, output: NumberList): ParameterCount {
  const shared = parameterCount(layer);
  const positions = productOf("output", output);
  return {
    weightsPerFilter: shared.weightsPerFilter,
    weights: shared.weights * positions,
    biases: shared.biases * positions,
    total: shared.total * positions,
  };
}

/**
 * Multiply-adds of one pass over `batch` samples: `batch * outputPositions * weights`, padding counted
 * as if it were multiplied. Each of the three passes (forward and both gradients) has the same count.
 */
export function multiplyAdds(layer: LayerGeometry, output: NumberList, batch = 1): number {
  requireInteger("batch", batch, 1);
  return batch * parameterCount(layer).weights * productOf("output", output);
}

/** Bytes that input, weights, bias and output hold, each read or written once. */
export function layerBytes(
  layer: LayerGeometry,
  input: NumberList,
  output: NumberList,
  batch = 1,
  bytesPerElement = 4,
): number {
  requireInteger("batch", batch, 1);
  require(Number.isFinite(bytesPerElement) && bytesPerElement > 0, () => {
    return `bytesPerElement is ${show(bytesPerElement)}; expected a positive number`;
  });
  const { total } = parameterCount(layer);
  const inputs = layer.inChannels * productOf("input", input);
  const outputs = layer.outChannels * productOf("output", output);
  return bytesPerElement * (batch * (inputs + outputs) + total);
}

/** Receptive field of a stack of layers along one axis. */
export interface ReceptiveField {
  /** Input elements that one output element sees. */
  readonly size: number;
  /** Input elements between the centres of neighbouring output elements (the stack's total stride). */
  readonly jump: number;
}

/**
 * Receptive field of a stack, first layer first: `r' = r + (F - 1) * D * jump`, `jump' = jump * S`.
 * Three 3x3 layers see 7, as one 7x7 does. Source: Araujo, Norris and Sim, "Computing receptive
 * fields of convolutional neural networks" (Distill, 2019). Padding changes neither.
 */
export function receptiveField(stack: readonly AxisGeometry[]): ReceptiveField {
  const isList: boolean = Array.isArray(stack);
  require(isList, () => `stack is ${show(stack)}; expected a list of layers, the first one first`);
  let size = 1;
  let jump = 1;
  for (const [index, layer] of stack.entries()) {
    requireOptions(layer, AXIS_KEYS, `stack[${String(index)}]`);
    const { kernel, stride = 1, dilation = 1, padding = 0 } = layer;
    requireInteger("stride", stride, 1);
    for (const side of readSides(padding)) requireInteger("padding", side, -Number.MAX_SAFE_INTEGER);
    size += (dilatedExtent(kernel, dilation) - 1) * jump;
    jump *= stride;
  }
  return { size, jump };
}

/** Product of a list of numbers; 1 for the empty list. */
export function product(values: NumberList): number {
  require(Array.isArray(values) || isNumberArray(values), () =>
    `values is ${show(values)}; expected a list of numbers`);
  let result = 1;
  for (let i = 0; i < values.length; i++) {
    const value: unknown = values[i];
    if (typeof value !== "number") throw new ArgumentError(`values[${String(i)}] is ${show(value)}; expected a number`);
    result *= value;
  }
  return result;
}
