/** Shapes as callers give them, checked. */
import { require, show } from "../base/errors.js";
import {
  activationDimensions,
  type ActivationExtents,
  joinActivation,
  type Layout,
  splitActivation,
} from "./layout.js";
import { channelsHint } from "./layoutHints.js";
import { listOf, type NumberList } from "../base/list.js";

/** The end of a message about a tensor in place of its shape. */
const shapeHint = (shape: unknown): string => (show(shape) === "Tensor" ? "; say x.shape, the tensor's own" : "");

/**
 * A copy of `shape`, which must be a list of `length` positive integers.
 *
 * @param dimensions in words, for a message
 */
export function readShape(
  name: string,
  shape: NumberList,
  length: number,
  dimensions: () => string,
): readonly number[] {
  const list = listOf(shape);
  require(list?.length === length, () => {
    return `${name} has shape ${show(list ?? shape)}; expected ${String(length)} dimensions ${dimensions()}${shapeHint(shape)}`;
  });
  return readExtents(name, list, false);
}

/** A copy of a list of extents: integers of at least 1, or 0 for the first where that may be. */
export function readExtents(name: string, list: readonly unknown[], mayBeEmpty: boolean): readonly number[] {
  const extents = [...list];
  const isExtent = (extent: unknown, axis: number): extent is number =>
    Number.isSafeInteger(extent) && (extent as number) >= (mayBeEmpty && axis === 0 ? 0 : 1);
  require(extents.every(isExtent), () => {
    const least = mayBeEmpty ? "an integer of at least 1, or 0 for the batch" : "an integer of at least 1";
    return `${name} has shape ${show(list)}; expected every dimension to be ${least}`;
  });
  return extents;
}

/**
 * Extents of an input or output, `[N, C, ...spatial]` or as `layout` says; without N they are of one sample.
 *
 * @param name what the caller calls it, for messages
 */
export function readActivationShape(
  name: string,
  shape: NumberList,
  rank: number,
  layout: Layout,
): ActivationExtents & { readonly batched: boolean } {
  const list = listOf(shape);
  const batched = list?.length === rank + 2;
  require(batched || list?.length === rank + 1, () => {
    const dimensions = `${String(rank + 2)} dimensions ${activationDimensions(layout, rank)}`;
    return `${name} has shape ${show(list ?? shape)}; expected ${dimensions}, or ${String(rank + 1)} without N${shapeHint(shape)}`;
  });
  const extents = readExtents(name, list, batched);
  return { ...splitActivation(batched ? extents : [1, ...extents], layout), batched };
}

/** The shape with these extents. It has a dimension for the batch where `batched` says so. */
export function activationShape(
  extents: ActivationExtents & { readonly batched: boolean },
  layout: Layout,
): readonly number[] {
  return joinActivation(extents, layout).slice(extents.batched ? 0 : 1);
}

/** Throws unless `actual`, the shape of the named tensor, is `expected`. */
export function requireSameShape(
  name: string,
  actual: readonly number[],
  expected: readonly number[],
  why: string,
): void {
  const same = actual.length === expected.length && expected.every((extent, axis) => extent === actual[axis]);
  require(same, () => {
    const hint = channelsHint(name, actual, expected);
    return `${name} has shape ${show([...actual])}; expected ${show([...expected])}, ${why}${hint}`;
  });
}
