/** Broadcasting: operands of different shapes, and where an element of the whole lies in each of them. */
import { ArgumentError, LimitError, require } from "../../base/errors.js";
import type { TensorSpec } from "../../planning/tensorOperation.js";
import { product } from "../../problem/geometry.js";
import type { Layout } from "../../problem/layout.js";
import { showShape } from "./operation.js";

/** A tensor, or a number for every element. */
export type TermOperand = TensorSpec | number;

/** An axis of the whole: with the steps, in elements of each operand, from one of its indices to the next. */
export interface Axis {
  readonly extent: number;
  readonly steps: readonly number[];
}

/** How many axes kernels have, once neighbours that are alike are one. */
const MOST_AXES = 4;
/** Of a kernel. */
const MOST_OPERANDS = 4;

/** The shape as broadcasting aligns it with one of `rank` axes: a list of several values is one a channel. */
export function alignedShape(shape: readonly number[], rank: number, layout: Layout): readonly number[] {
  const [extent] = shape;
  if (shape.length !== 1 || extent === 1 || rank < 2) return [...ones(rank - shape.length), ...shape];
  const channelAxis = layout === "channels-last" ? rank - 1 : 1;
  return ones(rank).map((one, axis) => (axis === channelAxis ? extent : one));
}

const ones = (count: number): number[] => new Array<number>(Math.max(0, count)).fill(1);

/** The shape that both are broadcast to. Throws for shapes that do not go together. */
export function broadcastShapes(
  [a, b]: readonly [readonly number[], readonly number[]],
  names: readonly [string, string],
  layout: Layout,
): readonly number[] {
  const rank = Math.max(a.length, b.length);
  const [first, second] = [alignedShape(a, rank, layout), alignedShape(b, rank, layout)];
  return first.map((extent, axis) => {
    const other = second[axis];
    if (extent !== other && extent !== 1 && other !== 1) {
      throw new ArgumentError(
        `${names[0]} has shape ${showShape(a)} and ${names[1]} ${showShape(b)}; expected the same, or extents of 1 where they differ, from the last axis on; or one value a channel, ${layout}`,
      );
    }
    return extent === 1 ? other : extent;
  });
}

/** Axes of the whole, outermost first. */
export function axesOf(whole: readonly number[], operands: readonly TermOperand[], layout: Layout): readonly Axis[] {
  const steps = operands.map((operand) => {
    if (typeof operand === "number") return whole.map(() => 0);
    const shape = alignedShape(operand.shape, whole.length, layout);
    return shape.map((extent, axis) => (extent === 1 ? 0 : product(shape.slice(axis + 1))));
  });
  return whole.map((extent, axis) => ({ extent, steps: steps.map((own) => own[axis]) }));
}

/** Fewer axes with the same order of indices: those of extent 1 are left out, and neighbours along which all operands go on are one. */
export function merged(axes: readonly Axis[]): readonly Axis[] {
  const few = groupsOf(axes);
  if (few.length > MOST_AXES) {
    throw new LimitError(
      `operands are broadcast along ${String(few.length)} groups of axes in turn; expected at most ${String(MOST_AXES)}: reshape them, or compute in two operations`,
    );
  }
  return few.length > 0 ? few : [{ extent: 1, steps: axes[0]?.steps ?? ones(MOST_OPERANDS).map(() => 0) }];
}

/** Whether kernels take so many groups of axes. */
export const fitsKernels = (axes: readonly Axis[]): boolean => groupsOf(axes).length <= MOST_AXES;

function groupsOf(axes: readonly Axis[]): Axis[] {
  const few: Axis[] = [];
  for (const axis of axes) {
    if (axis.extent === 1) continue;
    const outer = few.at(-1);
    if (outer?.steps.every((step, i) => step === axis.steps[i] * axis.extent) === true) {
      few[few.length - 1] = { extent: outer.extent * axis.extent, steps: axis.steps };
    } else few.push(axis);
  }
  return few;
}

/** Axes as kernels have them (shaders/common/operands.wgsl): innermost first. */
export function axisUniforms(axes: readonly Axis[]): {
  readonly count: number;
  readonly extents: readonly number[];
  readonly steps: readonly (readonly number[])[];
} {
  const inner = [...axes].reverse();
  const stepsOf = (i: number): number[] =>
    Array.from({ length: MOST_OPERANDS }, (_, operand) => inner[i]?.steps[operand] ?? 0);
  return {
    count: axes.length,
    extents: [0, 1, 2].map((i) => inner[i]?.extent ?? 1),
    steps: [0, 1, 2, 3].map(stepsOf),
  };
}

/** On the host: where each operand has the element with that index of these axes. */
export function offsetsOn(axes: readonly Axis[], index: number): number[] {
  const offsets = axes[0].steps.map(() => 0);
  let rest = index;
  for (const { extent, steps } of [...axes].reverse()) {
    for (const [i, step] of steps.entries()) offsets[i] += (rest % extent) * step;
    rest = Math.floor(rest / extent);
  }
  return offsets;
}

/** Axes of the whole along which an operand is broadcast. */
export function broadcastAxes(shape: readonly number[], whole: readonly number[], layout: Layout): readonly number[] {
  const aligned = alignedShape(shape, whole.length, layout);
  return whole.map((_, axis) => axis).filter((axis) => aligned[axis] === 1 && whole[axis] !== 1);
}

/** Throws unless values of `shape` can be broadcast to `whole` without making it larger. */
export function requireBroadcast(
  name: string,
  shape: readonly number[],
  whole: readonly number[],
  layout: Layout,
): void {
  const aligned = alignedShape(shape, whole.length, layout);
  require(aligned.length === whole.length &&
    aligned.every((extent, axis) => extent === 1 || extent === whole[axis]), () => {
    return `${name} has shape ${showShape(shape)}; expected one that is broadcast to ${showShape(whole)}: extents of 1 where they differ, or one value a channel, ${layout}`;
  });
}
