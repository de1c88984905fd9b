/** Tensors side by side along an axis, and slices out of one. */
import { require, show } from "../../base/errors.js";
import { isList, listOf } from "../../base/list.js";
import { named, type TensorOperation, type TensorSpec } from "../../planning/tensorOperation.js";
import { product } from "../../problem/geometry.js";
import type { Tensor } from "../../tensor/tensor.js";
import { readAxis } from "../core/axes.js";
import { canView, viewPart } from "./parts.js";
import {
  makeOperation,
  requireDType,
  resizedSpec,
  runOne,
  runOperation,
  showShape,
  specOf,
} from "../core/operation.js";
import { recordStep } from "../tape/step.js";
import { copySlice, copySliceOnHost, type Slice } from "./copySlice.js";

/**
 * Tensors side by side along an axis: of shapes that are equal but for that axis.
 *
 * @param axis 1, the channels of channels-first layouts, when absent; negative ones count from the end
 * @returns a tensor whose extent along the axis is the sum of theirs
 */
export function concat(tensors: readonly Tensor[], axis = 1): Tensor {
  require(isList(tensors) && tensors.length > 0, () => `tensors is ${show(tensors)}; expected at least one tensor`);
  const specs = tensors.map((tensor, i) => specOf(tensor, `tensors[${String(i)}]`));
  const along = readAxis(axis, specs[0].shape.length);
  for (const [i, { shape }] of specs.entries()) {
    requireDType(`tensors[${String(i)}]`, tensors[i], specs[0].dtype, "tensors[0]");
    require(shape.length === specs[0].shape.length &&
      shape.every((extent, other) => other === along || extent === specs[0].shape[other]), () => {
      return `tensors[${String(i)}] has shape ${showShape(shape)}; expected that of tensors[0], ${showShape(specs[0].shape)}, but for axis ${String(along)}`;
    });
  }
  const parts = specs.map(({ shape }) => shape[along]);
  // What is empty adds nothing, and where it is an operand the whole is computed of nothing.
  const filled = parts.map((extent) => extent > 0 || Math.max(...parts) === 0);
  const y = runOne(
    concatOperation(specs, along, filled),
    Object.fromEntries(tensors.map((tensor, i) => [operandName(i), tensor] as const).filter((_, i) => filled[i])),
  );
  recordStep({
    name: "concat",
    inputs: tensors,
    outputs: [y],
    saved: [],
    backward([dy], needed) {
      if (!dy) return [];
      const wanted = indicesOf(parts).filter((i) => needed[i]);
      const taken = takeParts(dy, parts, along, wanted, "split");
      return parts.map((_, i) => taken[wanted.indexOf(i)]);
    },
  });
  return y;
}

/**
 * The tensor in parts along an axis. A part shares the memory of `x` where {@link slice} would.
 *
 * @param extents of the parts along the axis; their sum is the tensor's
 * @param axis 1 when absent
 */
export function split(x: Tensor, extents: readonly number[], axis = 1): Tensor[] {
  const spec = specOf(x, "x");
  const along = readAxis(axis, spec.shape.length);
  require(listOf(extents) !== undefined, () => {
    return `extents is ${show(extents)}; expected a list of the parts' extents along axis ${String(along)}: [${show(extents)}, ...]`;
  });
  const sum = sumOf(extents);
  require(extents.every((extent) => Number.isSafeInteger(extent) && extent >= 1) && sum === spec.shape[along], () => {
    return `extents is ${show([...extents])}; expected integers of at least 1 whose sum is ${String(spec.shape[along])}, the extent of axis ${String(along)}`;
  });
  const parts = takeParts(x, extents, along, indicesOf(extents), "split");
  recordStep({
    name: "split",
    inputs: [x],
    outputs: parts,
    saved: [],
    backward: (gradients) => [gradientOfParts(gradients, spec, extents, along)],
  });
  return parts;
}

/**
 * A part of a tensor along an axis: the indices from `start` to `end`, without `end`.
 *
 * Where the part lies together in `x` (the extents before the axis are 1: a batch's samples, channels of one sample) and begins at a
 * multiple of 256 bytes, and ends at one of 16 or with `x`, nothing is copied: the result shares the memory of `x`, which lives as long
 * as either of them; what is written to one the other has, too. Elsewhere it is a copy.
 *
 * @param axis 1 when absent
 */
export function slice(x: Tensor, start: number, end: number, axis = 1): Tensor {
  const spec = specOf(x, "x");
  const along = readAxis(axis, spec.shape.length);
  const extent = spec.shape[along];
  require(Number.isSafeInteger(start) &&
    Number.isSafeInteger(end) &&
    0 <= start &&
    start < end &&
    end <= extent, () => {
    return `start and end are ${show(start)} and ${show(end)}; expected integers with 0 <= start < end <= ${String(extent)}, the extent of axis ${String(along)}`;
  });
  const lengths = [start, end - start, extent - end];
  const [y] = takeParts(x, lengths, along, [1], "slice");
  recordStep({
    name: "slice",
    inputs: [x],
    outputs: [y],
    saved: [],
    backward: ([dy]) => [gradientOfParts([undefined, dy, undefined], spec, lengths, along)],
  });
  return y;
}

/** Of the parts of a tensor, of these extents along an axis, those of these indices: views where they can be. */
function takeParts(
  x: Tensor,
  extents: readonly number[],
  axis: number,
  wanted: readonly number[],
  name: string,
): Tensor[] {
  const spec = specOf(x, "x");
  let before = 0;
  const places = extents.map((extent) => ({ extent, before: (before += extent) - extent }));
  const copied = wanted.filter((i) => !canView(spec, axis, places[i]));
  const copies = copied.length > 0 ? runOperation(splitOperation(spec, extents, axis, copied), { x }) : [];
  return wanted.map((i) => (copied.includes(i) ? copies[copied.indexOf(i)] : viewPart(x, axis, places[i], name)));
}

/** The gradient of the whole from those of its parts; where none flows to a part, zeros. */
function gradientOfParts(
  gradients: readonly (Tensor | undefined)[],
  spec: TensorSpec,
  extents: readonly number[],
  axis: number,
): Tensor {
  const there = gradients.flatMap((gradient, i) => (gradient ? [[operandName(i), gradient] as const] : []));
  const operation = concatOperation(
    extents.map((extent) => ({ ...spec, shape: withExtent(spec.shape, axis, extent) })),
    axis,
    gradients.map((gradient) => gradient !== undefined),
  );
  return runOne(operation, Object.fromEntries(there));
}

const indicesOf = (list: readonly unknown[]): number[] => list.map((_, i) => i);

const sumOf = (extents: readonly number[]): number => extents.reduce((sum, extent) => sum + extent, 0);

/** Callers without types pass anything. */
const operandName = (i: number): string => `x${String(i)}`;

const withExtent = (shape: readonly number[], axis: number, extent: number): number[] =>
  shape.map((old, i) => (i === axis ? extent : old));

/** Of parts of these extents along an axis: where each lies in the whole, and in itself. */
function slicesOf(
  shape: readonly number[],
  axis: number,
  extents: readonly number[],
): { whole: number; slices: Slice[] } {
  const count = product(shape.slice(0, axis));
  const inner = product(shape.slice(axis + 1));
  const whole = sumOf(extents);
  let before = 0;
  const slices = extents.map((extent) => {
    const run = extent * inner;
    const offset = before * inner;
    before += extent;
    return { run, count, source: { step: run, offset: 0 }, result: { step: whole * inner, offset } };
  });
  return { whole, slices };
}

/** @param there which of the parts there are; all when absent. The others are zeros */
function concatOperation(parts: readonly TensorSpec[], axis: number, there: readonly boolean[] = []): TensorOperation {
  const [{ shape, dtype }] = parts;
  const extents = parts.map((part) => part.shape[axis]);
  const { whole, slices } = slicesOf(shape, axis, extents);
  const used = parts.map((_, i) => i).filter((i) => there[i] ?? true);
  const y = { shape: withExtent(shape, axis, whole), dtype };
  return makeOperation({
    name: "concat",
    options: { axis, extents, used },
    operands: Object.fromEntries(used.map((i) => [operandName(i), parts[i]])),
    results: { y },
    resized: (to) =>
      concatOperation(
        parts.map((part) => resizedSpec(part, to)),
        axis,
        there,
      ),
    solvers: [
      {
        name: "copy",
        plan: (capabilities) => ({
          dispatches: parts.flatMap((_, i) => {
            if (slices[i].run === 0) return [];
            const source = used.includes(i) ? { source: named(operandName(i)) } : {};
            return [copySlice(slices[i], { ...source, result: named("y") }, dtype, capabilities)];
          }),
          scratchBytes: {},
        }),
      },
    ],
    compute(values) {
      const result = new Float64Array(product(y.shape));
      for (const i of used) copySliceOnHost(slices[i], values[operandName(i)], result);
      return { y: result };
    },
  });
}

/** @param wanted which of the parts; all when absent */
function splitOperation(
  x: TensorSpec,
  extents: readonly number[],
  axis: number,
  wanted: readonly number[] = extents.map((_, i) => i),
): TensorOperation {
  const slices = slicesOf(x.shape, axis, extents).slices.map(({ source, result, ...runs }) => {
    return { ...runs, source: result, result: source };
  });
  const results = wanted.map((i) => [operandName(i), { ...x, shape: withExtent(x.shape, axis, extents[i]) }] as const);
  return makeOperation({
    name: "split",
    options: { axis, extents, wanted },
    operands: { x },
    results: Object.fromEntries(results),
    resized(to) {
      const smaller = extents.map((extent) => to(extent));
      const shape = withExtent(resizedSpec(x, to).shape, axis, sumOf(smaller));
      return splitOperation({ ...x, shape }, smaller, axis, wanted);
    },
    solvers: [
      {
        name: "copy",
        plan: (capabilities) => ({
          dispatches: wanted.flatMap((i) => {
            if (slices[i].run === 0) return [];
            const bindings = { source: named("x"), result: named(operandName(i)) } as const;
            return [copySlice(slices[i], bindings, x.dtype, capabilities)];
          }),
          scratchBytes: {},
        }),
      },
    ],
    compute: (values) =>
      Object.fromEntries(
        results.map(([name, { shape }], i) => {
          const result = new Float64Array(product(shape));
          copySliceOnHost(slices[wanted[i]], values.x, result);
          return [name, result];
        }),
      ),
  });
}
