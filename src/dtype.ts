/** Element types of tensors, and float16 on the host. */
import { require, show } from "./errors.js";

/** How a tensor's values are stored. Sums are kept in float32 (float64 on the CPU) whatever this is. */
export type DType = "float32" | "float16";

export const BYTES_PER_ELEMENT: Readonly<Record<DType, number>> = { float32: 4, float16: 2 };

export function readDType(dtype: DType = "float32"): DType {
  require(Object.hasOwn(BYTES_PER_ELEMENT, dtype), () => `dtype is ${show(dtype)}; expected "float32" or "float16"`);
  return dtype;
}

const floatView = new Float32Array(1);
const bitView = new Uint32Array(floatView.buffer);

/** The float16 bits nearest to a number, ties to even; beyond 65,504 infinity, as IEEE 754 has it. */
export function toHalfBits(value: number): number {
  floatView[0] = value;
  const bits = bitView[0];
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return sign | 0x7e00;
  if (magnitude >= 65_520) return sign | 0x7c00;
  if (magnitude < 2 ** -14) return sign | roundToEven(magnitude * 2 ** 24);
  const exponent = Math.floor(Math.log2(magnitude));
  const scaled = roundToEven(magnitude * 2 ** (10 - exponent));
  return sign | ((exponent + 14) * 1024 + scaled);
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest > 0.5 || (rest === 0.5 && floor % 2 === 1)) return floor + 1;
  return floor;
}

/** The number that float16 bits stand for. */
export function fromHalfBits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The bytes that hold values in a dtype, a whole number of 32-bit words. */
export function encode(values: ArrayLike<number>, dtype: DType): Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> {
  if (dtype === "float32") return Float32Array.from(values);
  const halves = new Uint16Array(2 * Math.ceil(values.length / 2));
  for (let i = 0; i < values.length; i++) halves[i] = toHalfBits(values[i]);
  return halves;
}

/** The values that bytes hold in a dtype. */
export function decode(bytes: ArrayBuffer, count: number, dtype: DType): Float32Array<ArrayBuffer> {
  if (dtype === "float32") return new Float32Array(bytes, 0, count);
  return Float32Array.from(new Uint16Array(bytes, 0, count), fromHalfBits);
}
