/** Element types of tensors, and the words that hold them. */
import { decodeHalves, encodeHalves } from "../base/half.js";
import { requireWord } from "../base/spelling.js";

/** How a tensor's values are stored. Sums are kept in float32 (float64 on the CPU) whatever this is. */
export type DType = "float32" | "float16";

export const BYTES_PER_ELEMENT: Readonly<Record<DType, number>> = { float32: 4, float16: 2 };

const DTYPES: readonly DType[] = ["float32", "float16"];

export function readDType(dtype: DType = "float32"): DType {
  requireWord("dtype", dtype, DTYPES);
  return dtype;
}

/** Values as a dtype stores them: float32 numbers, or float16 bits, padded to a whole number of 32-bit words. */
export type StoredValues = Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

/** Room for so many values. */
export function storedValues(count: number, dtype: DType): StoredValues {
  return dtype === "float32" ? new Float32Array(count) : new Uint16Array(2 * Math.ceil(count / 2));
}

/** Values rounded to a dtype. */
export function encode(values: Float32Array | Float64Array, dtype: DType): StoredValues {
  if (dtype === "float32") return new Float32Array(values);
  const halves = new Uint16Array(2 * Math.ceil(values.length / 2));
  encodeHalves(values, halves);
  return halves;
}

/** The values that bytes hold in a dtype. */
export function decode(bytes: ArrayBuffer, count: number, dtype: DType): Float32Array<ArrayBuffer> {
  if (dtype === "float32") return new Float32Array(bytes, 0, count);
  const values = new Float32Array(count);
  decodeHalves(new Uint16Array(bytes, 0, count), values);
  return values;
}
