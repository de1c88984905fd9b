/**
 * float16 and bfloat16 on the host: single values, and whole arrays at about the speed of memory.
 *
 * Every number is rounded once, to the nearest with ties to even (IEEE 754): a float64 is not rounded to float32 first.
 */

/** What a typed array of numbers is, Float16Array among them. */
export type NumberArray = ArrayLike<number> & ArrayBufferView;

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** Bits of float32: the least float16 that is normal, 2^-14; the first power of two beyond float16; infinity. */
const LEAST_NORMAL = 0x38800000;
const BEYOND = 0x47800000;
const INFINITY = 0x7f800000;
/** 127 - 15, the difference of the exponents' biases, in place. */
const REBIAS = 0x38000000;

/** Whether the float32 with these bits becomes a float16 that is normal, or infinity by rounding. */
const isPlain = (bits: number): boolean => ((bits & 0x7fffffff) - LEAST_NORMAL) >>> 0 < BEYOND - LEAST_NORMAL;

/** float16 bits of such a float32. The fraction's carry goes into the exponent, and from the largest one into infinity. */
function narrowPlain(bits: number): number {
  const magnitude = bits & 0x7fffffff;
  return ((bits >>> 16) & 0x8000) | ((magnitude - REBIAS + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

/** float16 bits of the float32 with these bits. */
function narrow(bits: number): number {
  if (isPlain(bits)) return narrowPlain(bits);
  const magnitude = bits & 0x7fffffff;
  let half: number;
  if (magnitude < LEAST_NORMAL) {
    // A fraction of 2^-24: below half of that, 0.
    const shift = 126 - (magnitude >>> 23);
    const fraction = (magnitude & 0x7fffff) | 0x800000;
    half = shift > 24 ? 0 : (fraction + (1 << (shift - 1)) - 1 + ((fraction >>> shift) & 1)) >>> shift;
  } else {
    half = magnitude > INFINITY ? 0x7e00 : 0x7c00;
  }
  return ((bits >>> 16) & 0x8000) | half;
}

/** Whether float16 bits are a normal number's. */
const isNormal = (half: number): boolean => ((half & 0x7fff) - 0x400) >>> 0 < 0x7800;

/** float32 bits of such a float16, as a signed integer. */
const widenNormal = (half: number): number => ((half & 0x8000) << 16) | (((half & 0x7fff) << 13) + REBIAS);

/** float32 bits of the float16 with these bits, as a signed integer. */
function widen(half: number): number {
  if (isNormal(half)) return widenNormal(half);
  const magnitude = half & 0x7fff;
  const sign = (half & 0x8000) << 16;
  if (magnitude >= 0x7c00) return sign | INFINITY | (magnitude << 13);
  float[0] = magnitude * 2 ** -24;
  return sign | word[0];
}

/** The float16 bits nearest to a number, ties to even; beyond 65,504 infinity, as IEEE 754 has it. */
export function toHalfBits(value: number): number {
  float[0] = value;
  const rounded = float[0];
  let bits = word[0];
  // Rounding twice errs only where the float32 is half way between two float16 numbers and the number itself is not. It is
  // then moved to the number's side.
  if ((bits & 0xfff) === 0 && rounded !== value) {
    if (Math.abs(rounded) > Math.abs(value)) bits--;
    bits |= 1;
  }
  return narrow(bits);
}

/** The number that float16 bits stand for. */
export function fromHalfBits(bits: number): number {
  word[0] = widen(bits);
  return float[0];
}

/** {@link toHalfBits} of many, by integer arithmetic. float32 numbers go two at a time, which takes half as long. */
export function narrowAll(values: ArrayLike<number>, halves: Uint16Array): void {
  const count = values.length;
  if (!(values instanceof Float32Array)) {
    for (let i = 0; i < count; i++) halves[i] = toHalfBits(values[i]);
    return;
  }
  const words = new Int32Array(values.buffer, values.byteOffset, count);
  for (let i = 1; i < count; i += 2) {
    const first = words[i - 1];
    const second = words[i];
    if (isPlain(first) && isPlain(second)) {
      halves[i - 1] = narrowPlain(first);
      halves[i] = narrowPlain(second);
    } else {
      halves[i - 1] = narrow(first);
      halves[i] = narrow(second);
    }
  }
  if (count % 2 === 1) halves[count - 1] = narrow(words[count - 1]);
}

/** {@link fromHalfBits} of many, by integer arithmetic, likewise. */
export function widenAll(halves: Uint16Array, values: Float32Array): void {
  const count = halves.length;
  const words = new Int32Array(values.buffer, values.byteOffset, count);
  for (let i = 1; i < count; i += 2) {
    const first = halves[i - 1];
    const second = halves[i];
    if (isNormal(first) && isNormal(second)) {
      words[i - 1] = widenNormal(first);
      words[i] = widenNormal(second);
    } else {
      words[i - 1] = widen(first);
      words[i] = widen(second);
    }
  }
  if (count % 2 === 1) words[count - 1] = widen(halves[count - 1]);
}

type HalfArray = NumberArray & { set(values: ArrayLike<number>): void };
/** Float16Array, which rounds alike and is faster; undefined where the platform has none. */
const Native = (
  globalThis as { readonly Float16Array?: new (buffer: ArrayBufferLike, offset: number, length: number) => HalfArray }
).Float16Array;

/** Rounds values to the float16 bits at the beginning of `halves`. */
export function encodeHalves(values: NumberArray, halves: Uint16Array): void {
  if (Native) new Native(halves.buffer, halves.byteOffset, values.length).set(values);
  else narrowAll(values, halves);
}

/** The values of float16 bits, at the beginning of `values`. */
export function decodeHalves(halves: Uint16Array, values: Float32Array): void {
  const count = halves.length;
  if (!Native) {
    widenAll(halves, values);
    return;
  }
  // Compilers make this loop twice as fast as `set`.
  const native = new Native(halves.buffer, halves.byteOffset, count);
  for (let i = 0; i < count; i++) values[i] = native[i];
}

/** The values of bfloat16 bits, the upper halves of float32's, at the beginning of `values`. */
export function decodeBrainHalves(halves: Uint16Array, values: Float32Array): void {
  const count = halves.length;
  const words = new Int32Array(values.buffer, values.byteOffset, count);
  for (let i = 0; i < count; i++) words[i] = halves[i] << 16;
}
