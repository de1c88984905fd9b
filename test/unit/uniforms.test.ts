/** Packing a uniform struct by field name. */
import { describe, expect, test } from "vitest";
import { ConvError } from "../../src/base/errors.js";
import type { Kernel } from "../../src/kernels/kernel.js";
import { packUniforms, uniformRefusal } from "../../src/kernels/uniforms.js";

// struct { size: vec3<u32>, count: u32, pad: vec3<i32>, scale: f32, last: u32 }
const KERNEL: Kernel = {
  name: "test",
  load: () => Promise.resolve({ default: "" }),
  bindings: {},
  uniforms: {
    bytes: 36,
    fields: {
      size: { offsetBytes: 0, type: "u32", count: 3 },
      count: { offsetBytes: 12, type: "u32", count: 1 },
      pad: { offsetBytes: 16, type: "i32", count: 3 },
      scale: { offsetBytes: 28, type: "f32", count: 1 },
      last: { offsetBytes: 32, type: "u32", count: 1 },
    },
  },
};
const VALUES = { scale: 0.5, size: [1, 2, 3], count: 4_294_967_295, pad: [-1, 0, 7], last: 9 };

test("each value lies at its field's offset, little-endian, in its own type", () => {
  const view = new DataView(packUniforms(KERNEL, VALUES));
  expect([0, 4, 8, 12].map((at) => view.getUint32(at, true))).toEqual([1, 2, 3, 4_294_967_295]);
  expect([16, 20, 24].map((at) => view.getInt32(at, true))).toEqual([-1, 0, 7]);
  expect(view.getFloat32(28, true)).toBe(0.5);
  expect(view.getUint32(32, true)).toBe(9);
});

test("the buffer is a multiple of 16 bytes", () => expect(packUniforms(KERNEL, VALUES).byteLength).toBe(48));

describe("throws for", () => {
  test("a field that the kernel lacks", () => {
    const values = { ...VALUES, extra: 1 };
    expect(() => packUniforms(KERNEL, values)).toThrow(new ConvError("kernel test has no uniform field extra"));
  });

  test("a field that is missing", () => {
    const { count, ...values } = VALUES;
    expect(count).toBeDefined();
    const message = "kernel test: uniform field count needs 1 components, got undefined";
    expect(() => packUniforms(KERNEL, values)).toThrow(new ConvError(message));
  });

  test("a vector with too few components, and a number for a vector", () => {
    expect(() => packUniforms(KERNEL, { ...VALUES, size: [1, 2] })).toThrow(
      new ConvError("kernel test: uniform field size needs 3 components, got 1,2"),
    );
    expect(() => packUniforms(KERNEL, { ...VALUES, size: 1 })).toThrow(
      new ConvError("kernel test: uniform field size needs 3 components, got 1"),
    );
  });

  test.each([
    ["count", 2 ** 32, /^test counts count = 4294967296; expected an integer from 0 to 4294967295$/],
    ["size", [1, -1, 1], /^test counts size = -1; expected an integer from 0/],
    ["pad", [0, 2 ** 31, 0], /^test counts pad = 2147483648; expected an integer from -2147483648 to 2147483647$/],
    ["last", 0.5, /^test counts last = 0\.5/],
    ["last", NaN, /^test counts last = NaN/],
  ])("what a field cannot hold: %s = %o", (name, value, message) => {
    expect(() => packUniforms(KERNEL, { ...VALUES, [name]: value })).toThrow(message);
    expect(uniformRefusal(KERNEL, { ...VALUES, [name]: value })).toMatch(message);
    expect(uniformRefusal(KERNEL, VALUES)).toBeUndefined();
  });

  test("a vector for a number", () => {
    expect(() => packUniforms(KERNEL, { ...VALUES, last: [1, 2] })).toThrow(
      new ConvError("kernel test: uniform field last needs 1 components, got 1,2"),
    );
  });
});
