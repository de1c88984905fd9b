/** Size classes of the buffer pool. */
import { describe, expect, test } from "vitest";
import { sizeClass } from "../../src/gpu/device/bufferPool.js";

/** Every size of interest: small ones, and around powers of two and their eighths. */
const SIZES = [
  ...Array.from({ length: 5000 }, (_, i) => i + 1),
  ...Array.from({ length: 20 }, (_, i) => 2 ** (i + 12)).flatMap((power) =>
    Array.from({ length: 9 }, (_, eighth) => power + (eighth * power) / 8).flatMap((size) => [
      size - 1,
      size,
      size + 1,
    ]),
  ),
];

describe("a size class", () => {
  test("holds the size, is a multiple of 256, and wastes less than an eighth or than 256 bytes", () => {
    for (const size of SIZES) {
      const bytes = sizeClass(size);
      expect(bytes, String(size)).toBeGreaterThanOrEqual(size);
      expect(bytes % 256, String(size)).toBe(0);
      expect(bytes - size, String(size)).toBeLessThan(Math.max(256, size / 8));
    }
  });

  test("is its own class", () => {
    for (const size of SIZES) expect(sizeClass(sizeClass(size))).toBe(sizeClass(size));
  });

  test("never shrinks as the size grows", () => {
    const classes = [...SIZES].sort((a, b) => a - b).map(sizeClass);
    expect(classes).toEqual([...classes].sort((a, b) => a - b));
  });

  test("is one of eight between neighbouring powers of two", () => {
    const between = new Set(Array.from({ length: 4096 }, (_, i) => sizeClass(4097 + i)));
    expect([...between]).toEqual([4608, 5120, 5632, 6144, 6656, 7168, 7680, 8192]);
  });
});
