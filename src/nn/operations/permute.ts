/** Tensors with their axes in another order. */
import kernel from "../../../shaders/nn/permute.wgsl";
import { require, show } from "../../base/errors.js";
import { listOf, type NumberList } from "../../base/list.js";
import { dispatch } from "../../planning/solver.js";
import { named, type Reach, type TensorOperation, type TensorSpec } from "../../planning/tensorOperation.js";
import { product } from "../../problem/geometry.js";
import type { Tensor } from "../../tensor/tensor.js";
import { elementOf, workgroupsFor } from "../core/elements.js";
import { makeOperation, runOne, showShape, specOf } from "../core/operation.js";
import { recordStep } from "../tape/step.js";

/** Axes that the kernel takes. */
const MOST_AXES = 6;

/**
 * The tensor with its axes in another order, copied: `y.shape[i] = x.shape[axes[i]]`. `[0, 2, 3, 1]` makes channels-first tensors
 * channels-last, `[0, 3, 1, 2]` the other way.
 *
 * @param axes each axis of `x` once; negative ones count from the end. Six at most, where neighbours that stay neighbours are one
 */
export function permute(x: Tensor, axes: NumberList): Tensor {
  const spec = specOf(x, "x");
  const order = readOrder(axes, spec.shape.length);
  return rearrange(
    "permute",
    x,
    spec.shape,
    order,
    order.map((axis) => spec.shape[axis]),
  );
}

/**
 * Views `x` as of the extents `view`, permutes these, and views the result as `shape`. Records a step of that name, whose gradient
 * goes the way back.
 *
 * @param reach where a value's position is another's
 */
export function rearrange(
  name: string,
  x: Tensor,
  view: readonly number[],
  order: readonly number[],
  shape: readonly number[],
  reach?: Reach,
): Tensor {
  const y = runOne(permuteOperation(name, specOf(x, "x"), view, order, shape, reach), { x });
  const there = order.map((axis) => view[axis]);
  const back = order.map((_, axis) => order.indexOf(axis));
  const { shape: before } = x;
  recordStep({
    name,
    inputs: [x],
    outputs: [y],
    saved: [],
    backward: ([dy]) => [
      dy && runOne(permuteOperation(`${name}Gradient`, specOf(dy, "dy"), there, back, before), { x: dy }),
    ],
  });
  return y;
}

function readOrder(axes: NumberList, rank: number): number[] {
  const list = listOf(axes) ?? [];
  const order = list.map((axis) => (typeof axis === "number" && axis < 0 ? axis + rank : Number(axis)));
  const isOrder =
    order.length === rank && Array.from({ length: rank }, (_, axis) => order.includes(axis)).every(Boolean);
  require(isOrder, () => `axes is ${show(listOf(axes) ?? axes)}; expected each of the ${String(rank)} axes of x once`);
  return order;
}

/** An axis of the result: its extent, and elements of the source between neighbours. */
interface PermutedAxis {
  readonly extent: number;
  readonly stride: number;
}

/** The result's axes, innermost first, where neighbours that lie in the source as in the result are one. */
function permutedAxes(view: readonly number[], order: readonly number[]): PermutedAxis[] {
  const axes: PermutedAxis[] = [];
  for (const axis of [...order].reverse()) {
    const extent = view[axis];
    const stride = product(view.slice(axis + 1));
    const last = axes.at(-1);
    if (extent === 1) continue;
    if (last && stride === last.stride * last.extent) axes[axes.length - 1] = { ...last, extent: last.extent * extent };
    else axes.push({ extent, stride });
  }
  return axes.length === 0 ? [{ extent: 1, stride: 1 }] : axes;
}

function permuteOperation(
  name: string,
  x: TensorSpec,
  view: readonly number[],
  order: readonly number[],
  shape: readonly number[],
  reach?: Reach,
): TensorOperation {
  const elements = product(shape);
  const axes = permutedAxes(view, order);
  require(axes.length <= MOST_AXES, () => {
    return `axes ${showShape(order)} of ${showShape(view)} are ${String(axes.length)}; expected at most ${String(MOST_AXES)}, where neighbours that stay neighbours are one: permute in two steps`;
  });
  const fields = (value: (axis: PermutedAxis) => number, missing: number): number[] =>
    Array.from({ length: MOST_AXES }, (_, i) => (i < axes.length ? value(axes[i]) : missing));
  const extents = fields(({ extent }) => extent, 1);
  const strides = fields(({ stride }) => stride, 0);
  return makeOperation({
    name,
    options: { view, order },
    operands: { x },
    results: { y: { shape, dtype: x.dtype } },
    ...(reach ? { reach } : { rearranges: true }),
    resized(to) {
      const smaller = view.map((extent) => to(extent));
      const there = order.map((axis) => smaller[axis]);
      return permuteOperation(name, { ...x, shape: smaller }, smaller, order, there);
    },
    solvers: [
      {
        name: "copy",
        plan: (capabilities) => ({
          dispatches: [
            dispatch(kernel, {
              constants: { AXES: axes.length },
              types: { Element: elementOf(x.dtype, capabilities) },
              uniforms: {
                elements,
                extents: extents.slice(0, 4),
                strides: strides.slice(0, 4),
                outerExtents: extents.slice(4),
                outerStrides: strides.slice(4),
              },
              bindings: { source: named("x"), result: named("y") },
              workgroups: workgroupsFor(elements, capabilities),
            }),
          ],
          scratchBytes: {},
        }),
      },
    ],
    compute: (values) => ({ y: permuteOnHost(values.x, view, order) }),
  });
}

/** One axis of the result after the other, the outermost first. */
function permuteOnHost(x: ArrayLike<number>, view: readonly number[], order: readonly number[]): Float64Array {
  let places = [0];
  for (const axis of order) {
    const stride = product(view.slice(axis + 1));
    places = places.flatMap((place) => Array.from({ length: view[axis] }, (_, i) => place + i * stride));
  }
  return Float64Array.from(places, (place) => x[place]);
}
