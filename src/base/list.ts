/** Lists of numbers as callers have them: arrays of any realm, and typed arrays. */
import type { NumberArray } from "./half.js";

/** Extents, or one value an axis. */
export type NumberList = readonly number[] | NumberArray;

/** The kind of a typed array, "Float32Array" say, or "DataView"; undefined for anything else. */
export function viewKind(value: unknown): string | undefined {
  if (!ArrayBuffer.isView(value)) return undefined;
  return (value as Partial<Float32Array>)[Symbol.toStringTag] ?? "";
}

/** Whether this is a typed array of numbers, and not of bigints. */
export function isNumberArray(value: unknown): value is NumberArray {
  const kind = viewKind(value);
  return kind !== undefined && kind !== "DataView" && !kind.startsWith("Big");
}

/** The value as an array, where it is an array or a typed array; else undefined. Entries may be anything. */
export function listOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value as unknown[];
  return isNumberArray(value) ? Array.from(value) : undefined;
}

/** Whether this is an array. Unlike `Array.isArray` it leaves the type that the value has. */
export const isList = (value: unknown): boolean => Array.isArray(value);
