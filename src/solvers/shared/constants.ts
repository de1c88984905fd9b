/** What an operation bakes into every kernel that it runs. */
import { ACTIVATION_CODES, parametersOf } from "../../problem/activation.js";
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

/** Those of {@link tapConstants} that layers without depth have. */
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

/** Steps from one tap that meets a result to the next, in taps and in source elements (shaders/common/taps.wgsl). */
export function stepConstants({ stride, dilation }: ConvProblem, transposed: boolean) {
  const shared = stride.map((s, axis) => greatestCommonDivisor(s, dilation[axis]));
  const tapStep = transposed ? stride.map((s, axis) => s / shared[axis]) : [1, 1, 1];
  const sourceStep = transposed ? dilation.map((d, axis) => d / shared[axis]) : dilation;
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

/** In the order of the constants in shaders/common/epilogue.wgsl. */
export function activationConstants({ activation }: ConvOperation) {
  const [first, second] = parametersOf(activation);
  return {
    ACTIVATION: ACTIVATION_CODES.indexOf(activation.name),
    FIRST_PARAMETER: Math.max(first, -LARGEST),
    SECOND_PARAMETER: Math.min(second, LARGEST),
  };
}

/** What tensors are stored as in a kernel that reads and writes them as they are. */
export function elementTypes({ dtype }: Pick<ConvOperation, "dtype">): { readonly Element: ScalarElement } {
  return { Element: dtype === "float16" ? "f16" : "f32" };
}

const VECTOR_TYPES = { f16: "vec4h", f32: "vec4f" } as const;

/** What a kernel stores an element as. */
export type ScalarElement = keyof typeof VECTOR_TYPES;

/** Of kernels that gather from tensors alone, and never from an image. */
export function gatherTypes(operation: Pick<ConvOperation, "dtype">) {
  const types = elementTypes(operation);
  return { ...types, Source: types.Element };
}

/** Of kernels that write four neighbouring results at once, where these lie in vectors. */
export function vectorResults(element: ScalarElement, vectors: boolean) {
  const types = vectors
    ? ({ Result: VECTOR_TYPES[element], Sum: "vec4f" } as const)
    : ({ Result: element, Sum: "f32" } as const);
  return { constants: { VECTOR_RESULT: vectors }, types };
}

/** A weight's strides in the order that kernels have them. */
export function strideList({ out, in: inputs, tap }: WeightStrides): readonly number[] {
  return [out, inputs, tap];
}

/** Threads of a workgroup: few sizes, since each is a kernel to compile. */
const WORKGROUP_THREADS = [1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256];

/**
 * Threads of a workgroup where so many are needed in all: dealt out evenly to as few workgroups of `most` as hold them, so
 * that few have nothing to do.
 *
 * @param shared lanes that share loads: they must all be there
 */
export function dealtThreads(needed: number, most: number, shared = 1): number {
  const each = Math.ceil(needed / Math.ceil(needed / most));
  const enough = WORKGROUP_THREADS.find((threads) => threads >= each && threads % shared === 0);
  return Math.max(shared, Math.min(most, enough ?? most));
}

/** Why a kernel that shares filters over positions cannot take a problem; undefined when it can. */
export function unsharedRefusal({ weightPositionStride }: ConvProblem): string | undefined {
  return weightPositionStride === 0 ? undefined : "every output position has filters of its own";
}

/** Why so many of a workgroup's lanes cannot share what they load, or are not all there; undefined when they can. */
export function shareRefusal(
  { shared, threads }: { readonly shared: number; readonly threads: number },
  { subgroupLanes }: Capabilities,
): string | undefined {
  const isPower = Number.isInteger(Math.log2(shared));
  if (!(isPower && shared >= 1 && shared <= subgroupLanes)) {
    return `shared is ${String(shared)}; expected a power of two up to ${String(subgroupLanes)}, the lanes of a subgroup`;
  }
  return threads % shared === 0
    ? undefined
    : `threads is ${String(threads)}; expected a multiple of ${String(shared)}, the lanes that share loads`;
}

/** Channels dealt out to blocks of so many at most, as evenly as may be. */
export function dealtEvenly(channels: number, most: readonly number[]): readonly number[] {
  return [...new Set(most.map((count) => Math.ceil(channels / Math.ceil(channels / count))))];
}

/** Threads of whole workgroups: those without work wait for the others. */
export const wholeWorkgroups = (threads: number, each: number): number => each * Math.ceil(threads / each);

/** Candidates with the first one that will do before the others; the last one where none will. */
export function preferring<Item>(items: readonly Item[], willDo: (item: Item) => boolean): readonly Item[] {
  const preferred = items.find(willDo) ?? items[items.length - 1];
  return [preferred, ...items.filter((item) => item !== preferred)];
}

/** Why constants cannot be: they must be whole and positive; undefined when they are. */
export function countRefusal(counts: Readonly<Record<string, number>>): string | undefined {
  const wrong = Object.entries(counts).find(([, count]) => !(Number.isInteger(count) && count >= 1));
  return wrong && `${wrong[0]} is ${String(wrong[1])}; expected a positive integer`;
}

/** Registers that a tile may take in each direction; loops over them are written out. */
const LARGEST_TILE = 64;
/** Sums that a thread holds, and steps written out for them: registers, compile time and instructions grow with them. */
const MOST = { sums: 128, steps: 256 };

/** Why a tile is larger than a device, or its compiler, can do anything with; undefined when it is not. */
export function tileSizeRefusal(sums: number, steps: number): string | undefined {
  if (sums > MOST.sums) return `a thread would hold ${String(sums)} sums; at most ${String(MOST.sums)}`;
  return steps > MOST.steps ? `${String(steps)} steps would be written out; at most ${String(MOST.steps)}` : undefined;
}

/** Why a register tile cannot be: its constants must be whole, positive and within the device's limits. */
export function registerTileRefusal(
  { threads, rows, columns }: { readonly threads: number; readonly rows: number; readonly columns: number },
  { limits }: Capabilities,
): string | undefined {
  const most = Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX);
  const wanted = { threads: [threads, most], rows: [rows, LARGEST_TILE], columns: [columns, LARGEST_TILE] } as const;
  for (const [name, [value, largest]] of Object.entries(wanted)) {
    if (!(Number.isInteger(value) && value >= 1 && value <= largest)) {
      return `${name} is ${String(value)}; expected an integer from 1 to ${String(largest)}`;
    }
  }
  return tileSizeRefusal(rows * columns, rows * columns);
}
