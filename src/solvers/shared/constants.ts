/** What an operation bakes into every kernel that it runs. */
import { ACTIVATION_CODES, type ActivationName, parametersOf } from "../../problem/activation.js";
import type { Capabilities } from "../../planning/capabilities.js";
import type { ConvOperation } from "../../problem/operation.js";
import { PADDING_MODES } from "../../problem/padding.js";
import type { ConvProblem } from "../../problem/problem.js";
import type { WeightStrides } from "../../problem/layout.js";

/** Filter extent, stride and dilation: they shape loops and divisions, so they are compiled in. */
export function tapConstants({ kernel, stride, dilation }: ConvProblem) {
  return {
    KERNEL_DEPTH: kernel[0],
    KERNEL_HEIGHT: kernel[1],
    KERNEL_WIDTH: kernel[2],
    STRIDE_DEPTH: stride[0],
    STRIDE_HEIGHT: stride[1],
    STRIDE_WIDTH: stride[2],
    DILATION_DEPTH: dilation[0],
    DILATION_HEIGHT: dilation[1],
    DILATION_WIDTH: dilation[2],
  };
}

/** Those of {@link tapConstants} that layers of up to two axes have. */
export function planeConstants({ kernel, stride, dilation }: ConvProblem) {
  return {
    KERNEL_HEIGHT: kernel[1],
    KERNEL_WIDTH: kernel[2],
    STRIDE_HEIGHT: stride[1],
    STRIDE_WIDTH: stride[2],
    DILATION_HEIGHT: dilation[1],
    DILATION_WIDTH: dilation[2],
  };
}

/** Steps from one tap of a phase to the next, in taps and in source elements (shaders/common/taps.wgsl). */
export function stepConstants({ stride, dilation }: ConvProblem, transposed: boolean) {
  const common = stride.map((s, axis) => greatestCommonDivisor(s, dilation[axis]));
  const tapStep = transposed ? stride.map((s, axis) => s / common[axis]) : [1, 1, 1];
  const sourceStep = transposed ? dilation.map((d, axis) => d / common[axis]) : dilation;
  return {
    TAP_STEP_DEPTH: tapStep[0],
    TAP_STEP_HEIGHT: tapStep[1],
    TAP_STEP_WIDTH: tapStep[2],
    SOURCE_STEP_DEPTH: sourceStep[0],
    SOURCE_STEP_HEIGHT: sourceStep[1],
    SOURCE_STEP_WIDTH: sourceStep[2],
  };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** In the order of the constants in shaders/common/padding.wgsl. */
export function paddingConstant({ paddingMode }: ConvProblem): number {
  return PADDING_MODES.indexOf(paddingMode);
}

/** The largest float32 number: WGSL has no literal for infinity. */
const LARGEST = 3.4028234663852886e38;

/** Activations that kernels apply without a formula of their own. */
const PLAIN: readonly ActivationName[] = ["none", "relu", "prelu"];

/** In the order of the constants in shaders/common/epilogue.wgsl. */
export function activationConstants({ activation }: Pick<ConvOperation, "activation">) {
  const [first, second] = parametersOf(activation);
  return {
    ACTIVATION: ACTIVATION_CODES.indexOf(activation.name),
    FORMULA: !PLAIN.includes(activation.name),
    FIRST_PARAMETER: Math.max(first, -LARGEST),
    SECOND_PARAMETER: Math.min(second, LARGEST),
  };
}

/** Element types of kernels that read and write tensors as they are stored. */
export function elementTypes({ dtype }: Pick<ConvOperation, "dtype">): { readonly Element: ScalarElement } {
  return { Element: dtype === "float16" ? "f16" : "f32" };
}

const VECTOR_TYPES = { f16: "vec4h", f32: "vec4f" } as const;

/** What a kernel stores an element as. */
export type ScalarElement = keyof typeof VECTOR_TYPES;

/** Likewise of those that read operands in packed pairs, too: an element, and four. */
export function operandTypes({ dtype, halves }: Pick<ConvOperation, "dtype" | "halves">) {
  if (halves === true) return { Element: "u32", Vector: "vec2u" } as const;
  const { Element } = elementTypes({ dtype });
  return { Element, Vector: VECTOR_TYPES[Element] };
}

/** Types of kernels that gather from tensors alone, never from an image. */
export function gatherTypes(operation: Pick<ConvOperation, "dtype">) {
  const types = elementTypes(operation);
  return { ...types, Source: types.Element };
}

/** How results lie, and in what form. */
interface ResultForm {
  /** Whether the four of a vector are of neighbouring channels, and not of one. */
  readonly ofChannels?: boolean;
  /** Packed pairs of float16, in shaders without f16: whether a kernel reads operands so, and whether it writes results so. */
  readonly halves?: boolean;
  readonly packs?: boolean;
}

/** Constants and types of kernels that write four neighbouring results at once, where these lie in vectors. */
export function vectorResults(
  element: ScalarElement,
  vectors: boolean,
  { ofChannels = false, halves = false, packs = false }: ResultForm = {},
) {
  const [stored, packed, Sum] = vectors ? [VECTOR_TYPES[element], "vec2u", "vec4f"] : [element, "u32", "f32"];
  const constants = {
    VECTOR_RESULT: vectors,
    VECTOR_CHANNELS: vectors && ofChannels,
    HALVES: halves,
    PACKED: packs,
  };
  return { constants, types: { Result: packs ? packed : stored, Residual: halves ? packed : stored, Sum } };
}

/** A weight's strides in the order that kernels have them. */
export function strideList({ out, in: inputs, tap }: WeightStrides): readonly number[] {
  return [out, inputs, tap];
}

/** Threads of a workgroup: few sizes, since each is a kernel to compile. */
const WORKGROUP_THREADS = [1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256];

/**
 * Threads of a workgroup where so many are needed in all: they are divided evenly among as few workgroups of `most` as
 * hold them, so that few are idle.
 *
 * @param broadcastLanes lanes that broadcast what they load: they must all be there
 */
export function evenThreads(needed: number, most: number, broadcastLanes = 1): number {
  const each = Math.ceil(needed / Math.ceil(needed / most));
  const enough = WORKGROUP_THREADS.find((threads) => threads >= each && threads % broadcastLanes === 0);
  return Math.max(broadcastLanes, Math.min(most, enough ?? most));
}

/** Why a kernel that shares filters over positions cannot take a problem; undefined when it can. */
export function unsharedRefusal({ weightPositionStride }: ConvProblem): string | undefined {
  return weightPositionStride === 0 ? undefined : "every output position has filters of its own";
}

/** Why so many lanes of a workgroup cannot broadcast what they load, or are not all there; undefined when they can. */
export function broadcastRefusal(
  { broadcastLanes, threads }: { readonly broadcastLanes: number; readonly threads: number },
  { subgroupLanes }: Capabilities,
): string | undefined {
  const isPower = Number.isInteger(Math.log2(broadcastLanes));
  if (!(isPower && broadcastLanes >= 1 && broadcastLanes <= subgroupLanes)) {
    return `broadcastLanes is ${String(broadcastLanes)}; expected a power of two up to ${String(subgroupLanes)}, the lanes of a subgroup`;
  }
  return threads % broadcastLanes === 0
    ? undefined
    : `threads is ${String(threads)}; expected a multiple of ${String(broadcastLanes)}, the lanes that broadcast`;
}

/** How many channels blocks of so many at most have, where channels are divided evenly. */
export function evenCounts(channels: number, most: readonly number[]): readonly number[] {
  return [...new Set(most.map((count) => Math.ceil(channels / Math.ceil(channels / count))))];
}

/** Threads of whole workgroups: those without work wait for the others. */
export const wholeWorkgroups = (threads: number, each: number): number => each * Math.ceil(threads / each);

/** Candidates, with the first one that will do before the others. Where none will, the last one comes first. */
export function preferring<Item>(items: readonly Item[], willDo: (item: Item) => boolean): readonly Item[] {
  const preferred = items.find(willDo) ?? items[items.length - 1];
  return [preferred, ...items.filter((item) => item !== preferred)];
}

/** Which of the counts is no positive integer; undefined when all are. */
export function countRefusal(counts: Readonly<Record<string, number>>): string | undefined {
  const wrong = Object.entries(counts).find(([, count]) => !(Number.isInteger(count) && count >= 1));
  return wrong && `${wrong[0]} is ${String(wrong[1])}; expected a positive integer`;
}

/** M and N that a thread may compute; loops over them are unrolled. */
const LARGEST_TILE = 64;
/** Sums that a thread holds, and unrolled steps: registers, compile time and instructions grow with them. */
const MOST = { sums: 128, steps: 256 };

/** Why a tile is too large for a device or its compiler; undefined when it is not. */
export function tileSizeRefusal(sums: number, steps: number): string | undefined {
  if (sums > MOST.sums) return `a thread would hold ${String(sums)} sums; at most ${String(MOST.sums)}`;
  return steps > MOST.steps ? `${String(steps)} steps would be unrolled; at most ${String(MOST.steps)}` : undefined;
}

/**
 * Why a register tile cannot be: its knobs must be whole, positive and within the device's limits.
 *
 * @param tile how much of M and of N a thread computes, by the knobs' names
 */
export function registerTileRefusal(
  threads: number,
  tile: Readonly<Record<string, number>>,
  { limits }: Capabilities,
): string | undefined {
  const mostThreads = Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX);
  for (const [name, value] of Object.entries({ threads, ...tile })) {
    const most = name === "threads" ? mostThreads : LARGEST_TILE;
    if (!(Number.isInteger(value) && value >= 1 && value <= most)) {
      return `${name} is ${String(value)}; expected an integer from 1 to ${String(most)}`;
    }
  }
  const sums = Object.values(tile).reduce((product, count) => product * count, 1);
  return tileSizeRefusal(sums, sums);
}
