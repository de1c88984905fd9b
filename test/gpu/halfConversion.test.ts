/** float16 on the host, every pattern and every border between two, against the definition; on each platform, since some have Float16Array. */
import { describe, expect, test } from "vitest";
import { decode, encode } from "../../src/problem/dtype.js";
import {
  decodeBrainHalves,
  decodeHalves,
  encodeHalves,
  fromHalfBits,
  narrowAll,
  type NumberArray,
  toHalfBits,
  widenAll,
} from "../../src/base/half.js";
import { Random } from "../support/data.js";

/** IEEE 754-2008, 3.4: the number that a pattern stands for. */
function valueOf(bits: number): number {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >>> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
}

const PATTERNS = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits);
const MAGNITUDES = Float64Array.from(PATTERNS.subarray(0, 0x7c00), valueOf);
/** Of a pattern and the next one; above the largest number the next would be 65,536. All exact in float64. */
const borderAbove = (bits: number): number =>
  (MAGNITUDES[bits] + (bits === 0x7bff ? 65_536 : MAGNITUDES[bits + 1])) / 2;

/** The pattern nearest to a number, ties to even, by search. */
function nearest(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  let [low, high] = [0, 0x7c00];
  // The first pattern whose upper border is not below the magnitude.
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (borderAbove(middle) < magnitude) low = middle + 1;
    else high = middle;
  }
  const isTie = low < 0x7c00 && borderAbove(low) === magnitude;
  return sign | (isTie && low % 2 === 1 ? low + 1 : low);
}

const float64 = new Float64Array(1);
const float64Bits = new BigUint64Array(float64.buffer);
const float32 = new Float32Array(1);
const float32Bits = new Uint32Array(float32.buffer);

/** The float64 so many steps away from a positive one. */
function besides(value: number, steps: bigint): number {
  float64[0] = value;
  float64Bits[0] += steps;
  return float64[0];
}

function besidesInFloat32(value: number, steps: number): number {
  float32[0] = value;
  float32Bits[0] += steps;
  return float32[0];
}

const signed = (values: readonly number[]): number[] => values.flatMap((value) => [value, -value]);
/** All float16 numbers, all borders between neighbours, and the numbers right beside those. */
const EDGES32 = signed(
  Array.from(MAGNITUDES, (value, bits) => {
    const border = borderAbove(bits);
    return [value, border, besidesInFloat32(border, 1), besidesInFloat32(border, -1)];
  }).flat(),
).concat(Infinity, -Infinity, NaN, 0, -0, 2 ** -149, 2 ** -126, 3.4028234663852886e38);
const EDGES64 = EDGES32.concat(
  signed(
    Array.from(MAGNITUDES, (_, bits) => {
      const border = borderAbove(bits);
      return [besides(border, 1n), besides(border, -1n)];
    }).flat(),
  ),
  signed([5e-324, 1e-300, 1e300, Number.MAX_VALUE, 2 ** -25 + 2 ** -60]),
);

/** Any float32 pattern. */
function randomFloats(count: number): Float32Array<ArrayBuffer> {
  const random = new Random(7);
  return new Float32Array(Uint32Array.from({ length: count }, () => random.integer(0, 2 ** 32 - 1)).buffer);
}

/** Compares as bits, every NaN alike. */
function sameBits(actual: Uint16Array, values: ArrayLike<number>): string[] {
  const canonical = (bits: number): number => ((bits & 0x7fff) > 0x7c00 ? 0x7e00 : bits);
  return Array.from(values, (value, i) => [value, canonical(actual[i]), nearest(value)] as const)
    .filter(([, found, expected]) => found !== expected)
    .map(([value, found, expected]) => `${String(value)}: ${found.toString(16)}, expected ${expected.toString(16)}`);
}

type Encoder = (values: NumberArray) => Uint16Array;
const filled =
  (fill: (values: NumberArray, halves: Uint16Array) => void): Encoder =>
  (values) => {
    const halves = new Uint16Array(values.length);
    fill(values, halves);
    return halves;
  };
const ENCODERS: Readonly<Record<string, Encoder>> = {
  "number by number": (values) => Uint16Array.from(Array.from(values), toHalfBits),
  "by integers": filled(narrowAll),
  "as the engine does": filled(encodeHalves),
};

describe("numbers to float16", () => {
  for (const [name, encoder] of Object.entries(ENCODERS)) {
    test(`${name}: all edges of float32 and of float64, rounded once`, () => {
      for (const values of [Float32Array.from(EDGES32), Float64Array.from(EDGES64), randomFloats(200_000)]) {
        expect(sameBits(encoder(values), values).slice(0, 5)).toEqual([]);
      }
    });

    test(`${name}: integers`, () => {
      for (const values of [Int32Array.of(2049, -2051, 65_519, 65_520, -(2 ** 31)), Uint8ClampedArray.of(0, 7, 255)]) {
        expect(sameBits(encoder(values), values)).toEqual([]);
      }
    });
  }
});

describe("float16 to numbers", () => {
  const expected = Float32Array.from(PATTERNS, valueOf);
  const DECODERS = {
    "number by number": (halves: Uint16Array, values: Float32Array) => values.set(Array.from(halves, fromHalfBits)),
    "by integers": widenAll,
    "as the engine does": decodeHalves,
  };
  for (const [name, decoder] of Object.entries(DECODERS)) {
    test(`${name}: all 65,536 patterns`, () => {
      const values = new Float32Array(PATTERNS.length);
      decoder(PATTERNS, values);
      // toEqual tells 0 from -0.
      expect(values).toEqual(expected);
    });
  }

  test("and back: every pattern that is a number keeps its bits", () => {
    const words = encode(expected, "float16");
    const numbers = PATTERNS.filter((bits) => !Number.isNaN(valueOf(bits)));
    expect(numbers.filter((bits) => words[bits] !== bits)).toEqual(new Uint16Array());
    expect(Array.from(decode(words.buffer, 3, "float16"))).toEqual([0, 2 ** -24, 2 ** -23]);
  });

  test("an odd number of values ends within a word", () => {
    expect(encode(Float32Array.of(1, 2, 3), "float16")).toEqual(Uint16Array.of(0x3c00, 0x4000, 0x4200, 0));
  });
});

test("bfloat16 is the upper half of a float32", () => {
  const values = new Float32Array(5);
  decodeBrainHalves(Uint16Array.of(0x3f80, 0xc040, 0x7f80, 0x8000, 1), values);
  expect(values).toEqual(Float32Array.of(1, -3, Infinity, -0, 2 ** -133));
});
