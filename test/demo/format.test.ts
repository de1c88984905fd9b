/** How numbers are written; and that what is written to add up does. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatAtMost,
  formatBytes,
  formatFactor,
  formatMilliseconds,
  formatNumber,
  formatRatio,
  formatRounded,
} from "../../examples/demo/format.js";
import type { SliceSum } from "../../examples/demo/parts/layer/scene.js";
import { signOfProduct, signOfSlice, writeResult } from "../../examples/demo/parts/layer/sums.js";
import { toEdit } from "../../examples/demo/settings/schema.js";

test.each([
  [3, "3"],
  [-3.88, "−3.88"],
  [0.125, "0.125"],
  [Math.fround(0.1) * Math.fround(0.1), "0.01"],
  [0.1 + 0.2, "0.3"],
  [-1e-9, "0"],
  [0.000001, "0.000001"],
  [12.34567, "12.3457"],
  [98765.43, "98765.4"],
  [2_000_001, "2000001"],
  [999999.9, "1000000"],
])("%d is written %s", (value, text) => {
  expect(formatNumber(value)).toBe(text);
});

test("measured numbers have three digits, no exponent, and are never nothing", () => {
  expect([1200, 0.0123456, 23.4, 0.000_45].map(formatMilliseconds)).toEqual([
    "1200 ms",
    "0.0123 ms",
    "23.4 ms",
    "0.000450 ms",
  ]);
  expect([2312, 0.5].map(formatRatio)).toEqual(["2312×", "0.500×"]);
  expect([0, 17, 2304, 1023.9 * 1024, 1.5 * 2 ** 20, 3 * 2 ** 30].map(formatBytes)).toEqual([
    "0 B",
    "17 B",
    "2.25 KiB",
    "1.00 MiB",
    "1.50 MiB",
    "3.00 GiB",
  ]);
  expect([3.5, 10 / 3, -2, -8 / 3].map(formatRounded)).toEqual(["3.5", "≈ 3.33", "−2", "≈ −2.67"]);
  expect([0, 0.5, 1.23e-7].map(formatAtMost)).toEqual(["0", "5.0e-1", "1.3e-7"]);
});

describe("sums", () => {
  /** What a text says, in millionths: exactly. */
  function exactly(text: string): bigint {
    const [, sign, whole, decimals = ""] = /^\(?(−?)(\d+)(?:\.(\d+))?\)?$/.exec(text) ?? [];
    return BigInt(`${sign ? "-" : ""}${whole}${decimals.padEnd(6, "0")}`);
  }
  const own = fc.double({ min: -99, max: 99, noNaN: true }).map((value) => toEdit(value, [-99, 99]));
  const small = fc.integer({ min: -2000, max: 2000 }).map((value) => value / 1000);
  const termsOf = (number: fc.Arbitrary<number>): fc.Arbitrary<SliceSum> =>
    fc.array(fc.tuple(number, number), { minLength: 1, maxLength: 25 }).map((pairs) => {
      const terms = pairs.map(([source, weight]) => {
        const factors = [Math.fround(source), Math.fround(weight)];
        return { source: factors[0], weight: factors[1], product: Math.fround(factors[0] * factors[1]) };
      });
      const sum = terms.reduce((total, { product }) => Math.fround(total + product), 0);
      return { sourceSlice: 0, filterSlice: 0, terms, sum };
    });
  const anySlice = fc.oneof(termsOf(own), termsOf(small), termsOf(fc.integer({ min: -99, max: 99 })));

  test("the sign says whether what is written adds up, digit by digit", () => {
    const signs = new Set<string>();
    fc.assert(
      fc.property(fc.array(anySlice, { minLength: 1, maxLength: 4 }), fc.option(own), (slices, bias) => {
        const added = [...slices.map(({ sum }) => sum), ...(bias === null ? [] : [Math.fround(bias)])];
        const result = added.reduce((total, summand) => Math.fround(total + summand), 0);
        const { summands, sign } = writeResult(slices, bias === null ? undefined : Math.fround(bias), result);
        const total = summands.reduce((sum, summand) => sum + exactly(formatFactor(summand)), 0n);
        expect(sign).toBe(total === exactly(formatNumber(result)) ? "=" : "≈");
        signs.add(sign);
        for (const slice of slices) {
          const products = slice.terms.map(
            ({ source, weight }) => exactly(formatFactor(source)) * exactly(formatFactor(weight)),
          );
          const sum = products.reduce((total, product) => total + product, 0n);
          const written = exactly(formatNumber(slice.sum)) * 1_000_000n;
          expect(signOfSlice(slice)).toBe(sum === written ? "=" : "≈");
          for (const [i, term] of slice.terms.entries()) {
            const product = exactly(formatNumber(term.product)) * 1_000_000n;
            expect(signOfProduct(term)).toBe(products[i] === product ? "=" : "≈");
          }
        }
      }),
      { seed: 20, numRuns: 500 },
    );
    expect([...signs].sort()).toEqual(["=", "≈"]);
  });

  test("of few decimals are written in full, and add up", () => {
    const terms = [
      { source: 0.125, weight: 1, product: 0.125 },
      { source: -3.88, weight: 0.5, product: Math.fround(-1.94) },
    ];
    const slice = { sourceSlice: 0, filterSlice: 0, terms, sum: Math.fround(-1.815) };
    expect(signOfSlice(slice)).toBe("=");
    expect(terms.map(({ source }) => formatFactor(Math.fround(source)))).toEqual(["0.125", "(−3.88)"]);
    expect(writeResult([slice], 0.125, Math.fround(-1.69))).toEqual({
      summands: [slice.sum, 0.125],
      sign: "=",
      note: "2 products, and the bias",
    });
    expect(writeResult([{ ...slice, terms: terms.slice(1) }], undefined, slice.sum).note).toBe("1 product");
  });
});
