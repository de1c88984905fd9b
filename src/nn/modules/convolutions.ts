/** Convolutional layers. */
import { require, show } from "../../base/errors.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { requireInteger } from "../../problem/geometry.js";
import type { Layout } from "../../problem/layout.js";
import { type Padding, type PerAxis, readPerAxis, type TransposedSize } from "../../problem/options.js";
import type { PaddingMode } from "../../problem/padding.js";
import type { Rank } from "../../problem/problem.js";
import type { Tensor } from "../../tensor/tensor.js";
import { without } from "../../planning/solver.js";
import { biasUniform, heUniform } from "../initialisers.js";
import type { ConvolutionParts, PlainActivation, Tail } from "./fusion.js";
import { type Init, parameter, requireInit } from "./layer.js";
import { makeModule, type Module } from "./module.js";

/** Options of a convolutional layer, beside its numbers of channels. Meanings are `engine.conv2d`'s. */
export interface ConvLayerOptions {
  /** F: the filter's extent, one for every axis or one an axis. */
  readonly kernel: PerAxis;
  readonly stride?: PerAxis;
  readonly padding?: Padding;
  readonly dilation?: PerAxis;
  readonly groups?: number;
  readonly paddingMode?: PaddingMode;
  readonly layout?: Layout;
  /** Whether there is a bias. True when absent. */
  readonly bias?: boolean;
  /** Applied to the result, in the same pass. None when absent. */
  readonly activation?: PlainActivation;
}

const KEYS = {
  kernel: 1,
  stride: 1,
  padding: 1,
  dilation: 1,
  groups: 1,
  paddingMode: 1,
  layout: 1,
  bias: 1,
  activation: 1,
} as const;
const CONV_OPTIONS = optionKeys<ConvLayerOptions>(KEYS, { number: "kernel" });

/** Options of a transposed convolutional layer. */
export interface TransposedLayerOptions extends ConvLayerOptions, TransposedSize {}
const TRANSPOSED_OPTIONS = optionKeys<TransposedLayerOptions>(
  { ...KEYS, outputPadding: 1, outputSize: 1 },
  { number: "kernel" },
);

/** Makes a convolutional layer of `outChannels` filters. Its tensors are `weight` `[out, in / groups, ...kernel]` and `bias` `[out]`. */
export type MakeConv = (init: Init, inChannels: number, outChannels: number, options: ConvLayerOptions) => Module;

/** Likewise a transposed one: `weight` is `[in, out / groups, ...kernel]`. */
export type MakeTransposed = (
  init: Init,
  inChannels: number,
  outChannels: number,
  options: TransposedLayerOptions,
) => Module;

/** 1D convolution: x `[N, C, W]`. First values are PyTorch's: uniform within 1 / sqrt(fan-in), by He's rule with slope sqrt(5). */
export const conv1d: MakeConv = (...given) => convLayer(1, ...given);
/** 2D convolution: x `[N, C, H, W]`, as {@link conv1d}. */
export const conv2d: MakeConv = (...given) => convLayer(2, ...given);
/** 3D convolution: x `[N, C, D, H, W]`, as {@link conv1d}. */
export const conv3d: MakeConv = (...given) => convLayer(3, ...given);
/** 1D transposed convolution, as {@link conv1d}. */
export const convTranspose1d: MakeTransposed = (...given) => transposedLayer(1, ...given);
/** 2D transposed convolution, as {@link conv1d}. */
export const convTranspose2d: MakeTransposed = (...given) => transposedLayer(2, ...given);
/** 3D transposed convolution, as {@link conv1d}. */
export const convTranspose3d: MakeTransposed = (...given) => transposedLayer(3, ...given);

function convLayer(rank: Rank, init: Init, inChannels: number, outChannels: number, options: ConvLayerOptions): Module {
  requireOptions(options, CONV_OPTIONS);
  const shape = weightShape(rank, init, [outChannels, inChannels], options);
  const { engine } = init;
  const weights = parametersFor(init, shape, options.bias === false ? 0 : outChannels);
  const call = without(options, "kernel", "bias");
  const kind = describe(`conv${String(rank)}d`, shape, options);
  return layerOf(
    kind,
    options,
    { ...weights, rank, outChannels, transposed: undefined },
    (x, { weight, bias }, tail) => {
      const own = { ...call, ...tail, ...(bias && { bias }) };
      if (rank === 1) return engine.conv1d(x, weight, own);
      return rank === 2 ? engine.conv2d(x, weight, own) : engine.conv3d(x, weight, own);
    },
  );
}

function transposedLayer(
  rank: Rank,
  init: Init,
  inChannels: number,
  outChannels: number,
  options: TransposedLayerOptions,
): Module {
  requireOptions(options, TRANSPOSED_OPTIONS);
  const shape = weightShape(rank, init, [inChannels, outChannels], options);
  const { engine } = init;
  const weights = parametersFor(init, shape, options.bias === false ? 0 : outChannels);
  const call = without(options, "kernel", "bias");
  const kind = describe(`convTranspose${String(rank)}d`, shape, options);
  const parts = { ...weights, rank, outChannels, transposed: options.groups ?? 1 };
  return layerOf(kind, options, parts, (x, { weight, bias }, tail) => {
    const own = { ...call, ...tail, ...(bias && { bias }) };
    if (rank === 1) return engine.convTranspose1d(x, weight, own);
    return rank === 2 ? engine.convTranspose2d(x, weight, own) : engine.convTranspose3d(x, weight, own);
  });
}

function layerOf(
  kind: string,
  { activation, layout = "channels-first" }: ConvLayerOptions,
  parts: Omit<ConvolutionParts, "runWith" | "layout">,
  runWith: ConvolutionParts["runWith"],
): Module {
  const { weight, bias } = parts;
  const run = (x: Tensor, tail: Tail = {}): Tensor => runWith(x, parts, tail);
  const isPlain = activation === undefined || activation === "none";
  return makeModule(
    { kind, parameters: bias ? { weight, bias } : { weight }, forward: (x) => run(x) },
    isPlain ? { run, convolution: { ...parts, layout, runWith } } : undefined,
  );
}

/** `[first, second / groups, ...kernel]` */
function weightShape(
  rank: Rank,
  init: Init,
  [first, second]: readonly [number, number],
  { kernel, groups = 1 }: ConvLayerOptions,
): number[] {
  requireInit(init);
  requireInteger("inChannels", first, 1);
  requireInteger("outChannels", second, 1);
  requireInteger("groups", groups, 1);
  require(first % groups === 0 && second % groups === 0, () => {
    return `there are ${String(first)} and ${String(second)} channels; expected multiples of groups = ${String(groups)}`;
  });
  return [first, second / groups, ...readPerAxis("kernel", kernel, rank, 1)];
}

/** PyTorch's first values: `kaiming_uniform_(a = sqrt(5))`, and the bias within 1 / sqrt(fan-in). */
function parametersFor(
  init: Init,
  shape: readonly number[],
  biases: number,
): { readonly weight: Tensor; readonly bias?: Tensor } {
  const weight = parameter(init, heUniform(shape, init.random, { negativeSlope: Math.sqrt(5) }), shape);
  return biases === 0
    ? { weight }
    : { weight, bias: parameter(init, biasUniform(biases, shape, init.random), [biases]) };
}

function describe(
  name: string,
  shape: readonly number[],
  { stride, padding, dilation, groups, activation }: ConvLayerOptions,
): string {
  const named = activation === undefined || typeof activation === "string" ? activation : activation.name;
  const options = { stride, padding, dilation, groups };
  const words = Object.entries(options).flatMap(([option, value]) => {
    if (value === undefined || value === (option === "padding" ? 0 : 1)) return [];
    return `${option} ${typeof value === "object" ? show(Array.from<unknown>(value)) : String(value)}`;
  });
  return [`${name} ${shape.slice(2).join("x")}`, ...words, ...(named === undefined ? [] : [named])].join(", ");
}
