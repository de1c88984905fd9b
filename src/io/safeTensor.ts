/** A tensor as a safetensors file has it: its bytes, and what they mean. */
import { require, show } from "../base/errors.js";
import { decodeBrainHalves, decodeHalves, encodeHalves } from "../base/half.js";
import { requireWord } from "../base/spelling.js";

/** Bytes of an element, by the type's name in safetensors files. */
export const ELEMENT_BYTES = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;
/** The type of a tensor's elements: F32, F16, BF16, I64, ... */
export type SafeDType = keyof typeof ELEMENT_BYTES;

/** Values and their shape, as PyTorch has them: row-major, weights `[out, in/groups, ...kernel]`. */
export interface SafeTensor {
  readonly dtype: SafeDType;
  readonly shape: readonly number[];
  /** The elements, little-endian. */
  readonly bytes: Uint8Array;
}

/** The elements of a shape; NaN where they are more than 2^53. */
export function elementsOf(shape: readonly number[]): number {
  if (shape.includes(0)) return 0;
  const count = shape.reduce((product, size) => product * size, 1);
  return Number.isSafeInteger(count) ? count : NaN;
}

/** Throws unless it is a tensor whose shape, type and bytes go together. */
export function requireTensor(name: string, tensor: SafeTensor): void {
  require(typeof tensor === "object" && (tensor as unknown) !== null, () =>
    `tensor ${show(name)} is ${show(tensor)}; expected { dtype, shape, bytes }`);
  const { dtype, shape, bytes } = tensor;
  require(Object.hasOwn(ELEMENT_BYTES, dtype), () =>
    `tensor ${show(name)} has dtype ${show(dtype)}; expected one of ${Object.keys(ELEMENT_BYTES).join(", ")}`);
  requireShape(`tensor ${show(name)} has shape`, shape);
  require((bytes as unknown) instanceof Uint8Array, () =>
    `tensor ${show(name)} has bytes ${show(bytes)}; expected a Uint8Array`);
  const expected = elementsOf(shape) * ELEMENT_BYTES[dtype];
  require(bytes.length === expected, () =>
    `tensor ${show(name)} has ${String(bytes.length)} bytes; expected ${String(expected)}, for ${show(shape)} of ${dtype}`);
}

function requireShape(what: string, shape: readonly number[]): void {
  const isList: boolean = Array.isArray(shape);
  require(isList && shape.every((size) => Number.isSafeInteger(size) && size >= 0), () =>
    `${what} ${show(shape)}; expected whole sizes from 0 on`);
}

/**
 * A tensor of float32 values, as they are (F32: their bits, the memory shared) or rounded to the nearest float16 (F16).
 *
 * @param shape as many elements as there are values
 * @throws ArgumentError for other values than a Float32Array, and a shape or type that does not fit
 */
export function floatTensor(values: Float32Array, shape: readonly number[], dtype: "F32" | "F16" = "F32"): SafeTensor {
  require((values as unknown) instanceof Float32Array, () => `values is ${show(values)}; expected a Float32Array`);
  requireShape("shape is", shape);
  requireWord("dtype", dtype, ["F32", "F16"]);
  require(elementsOf(shape) === values.length, () =>
    `shape ${show(shape)} has ${String(elementsOf(shape))} elements; there are ${String(values.length)} values`);
  if (dtype === "F32") {
    return { dtype, shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
  }
  const halves = new Uint16Array(values.length);
  encodeHalves(values, halves);
  return { dtype, shape, bytes: new Uint8Array(halves.buffer) };
}

/**
 * A tensor's values as float32, in memory of their own: F32 bit for bit, F16 and BF16 exactly, F64 rounded to the nearest with ties to
 * even (IEEE 754; beyond float32's range infinity), as numpy's and PyTorch's conversions do.
 *
 * @throws ArgumentError for other types, whole numbers among them, and for bytes that do not fit the shape
 */
export function floatValues(tensor: SafeTensor): Float32Array<ArrayBuffer> {
  requireTensor("values", tensor);
  const { dtype, shape, bytes } = tensor;
  // A copy begins at a multiple of an element, wherever the bytes begin.
  const { buffer } = new Uint8Array(bytes);
  if (dtype === "F32") return new Float32Array(buffer);
  if (dtype === "F64") return Float32Array.from(new Float64Array(buffer));
  require(dtype === "F16" || dtype === "BF16", () =>
    `a tensor of shape ${show(shape)} has dtype ${dtype}; expected F32, F16, BF16 or F64 where float32 values are wanted`);
  const halves = new Uint16Array(buffer);
  const values = new Float32Array(halves.length);
  if (dtype === "F16") decodeHalves(halves, values);
  else decodeBrainHalves(halves, values);
  return values;
}
