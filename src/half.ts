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

/** float16 bits of the float32 with these bits. */
function narrow(bits: number): number {
  const magnitude = bits & 0x7fffffff;
  let half: number;
  if (magnitude >= LEAST_NORMAL && magnitude < BEYOND) {
    // The carry of the fraction goes into the exponent, and at the end into infinity.
    half = (magnitude - REBIAS + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
  } else if (magnitude < LEAST_NORMAL) {
    // A fraction of 2^-24: below half of that, 0.
    const shift = 126 - (magnitude >>> 23);
    const fraction = (magnitude & 0x7fffff) | 0x800000;
    half = shift > 24 ? 0 : (fraction + (1 << (shift - 1)) - 1 + ((fraction >>> shift) & 1)) >>> shift;
  } else {
    half = magnitude > INFINITY ? 0x7e00 : 0x7c00;
  }
  return ((bits >>> 16) & 0x8000) | half;
}

/** float32 bits of the float16 with these bits, as a signed integer. */
function widen(half: number): number {
  const magnitude = half & 0x7fff;
  const sign = (half & 0x8000) << 16;
  if (magnitude >= 0x400 && magnitude < 0x7c00) return sign | ((magnitude << 13) + REBIAS);
  if (magnitude >= 0x7c00) return sign | INFINITY | (magnitude << 13);
  float[0] = magnitude * 2 ** -24;
  return sign | word[0];
}

/** The float16 bits nearest to a number, ties to even; beyond 65,504 infinity, as IEEE 754 has it. */
export function toHalfBits(value: number): number {
  float[0] = value;
  const rounded = float[0];
  let bits = word[0];
  if (rounded !== value && !Number.isNaN(value)) {
    // Rounded to odd instead: cut off, with what was cut in the last bit. float32 has enough bits for the second
    // rounding to come out as if it were the only one (Boldo and Melquiond, "Emulation of FMA and correctly rounded
    // sums: proved algorithms using rounding to odd", IEEE Trans. Computers, 2008).
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

/** {@link toHalfBits} of many, by integer arithmetic. */
export function narrowAll(values: ArrayLike<number>, halves: Uint16Array): void {
  const count = values.length;
  if (values instanceof Float32Array) {
    const words = new Uint32Array(values.buffer, values.byteOffset, count);
    for (let i = 0; i < count; i++) halves[i] = narrow(words[i]);
  } else {
    for (let i = 0; i < count; i++) halves[i] = toHalfBits(values[i]);
  }
}

/** {@link fromHalfBits} of many, by integer arithmetic. */
export function widenAll(halves: Uint16Array, values: Float32Array): void {
  const count = halves.length;
  const words = new Int32Array(values.buffer, values.byteOffset, count);
  for (let i = 0; i < count; i++) words[i] = widen(halves[i]);
}

type HalfArray = NumberArray & { set(values: ArrayLike<number>): void };
/** Float16Array, which rounds as we do and sooner; undefined where the platform has none. */
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
  // A loop, which compilers know, and not `set`, which takes them twice as long.
  const native = new Native(halves.buffer, halves.byteOffset, count);
  for (let i = 0; i < count; i++) values[i] = native[i];
}

/** The values of bfloat16 bits, the upper halves of float32's, at the beginning of `values`. */
export function decodeBrainHalves(halves: Uint16Array, values: Float32Array): void {
  const count = halves.length;
  const words = new Int32Array(values.buffer, values.byteOffset, count);
  for (let i = 0; i < count; i++) words[i] = halves[i] << 16;
}
