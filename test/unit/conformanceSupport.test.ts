/** What the conformance tests rely on: permutation of layouts, distance in ULPs, and the cutting of layers. */
import { describe, expect, test } from "vitest";
import { permute } from "../support/layout.js";
import { describeCuts, type Layer, layerShapes, multiplyAddsOf, reduceLayer } from "../support/reduceLayer.js";
import { largestUlpDistance, ulpDistance } from "../support/ulp.js";

describe("permute", () => {
  const nhwc = { shape: [1, 2, 3, 2], data: [0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121] };

  test("moves channels first, and back", () => {
    const nchw = permute(nhwc, "nhwc", "nchw");
    expect(nchw).toEqual({ shape: [1, 2, 2, 3], data: [0, 10, 20, 100, 110, 120, 1, 11, 21, 101, 111, 121] });
    expect(permute(nchw, "nchw", "nhwc")).toEqual(nhwc);
  });

  test.each(["oihw", "hwio", "ohwi", "ihwo"])("a weight in %s: each value keeps its coordinates", (layout) => {
    const extents: Readonly<Record<string, number>> = { o: 2, i: 3, h: 4, w: 5 };
    const shape = Array.from(layout, (axis) => extents[axis]);
    const data = Array.from({ length: 120 }, (_, index) => index);
    const weight = permute({ shape, data }, layout, "oihw");
    expect(weight.shape).toEqual([2, 3, 4, 5]);
    // The value at (o, i, h, w) = (1, 2, 3, 0) is its index in the layout it came from.
    const at: Readonly<Record<string, number>> = { o: 1, i: 2, h: 3, w: 0 };
    const index = Array.from(layout).reduce((sum, axis) => sum * extents[axis] + at[axis], 0);
    expect(weight.data[((1 * 3 + 2) * 4 + 3) * 5]).toBe(index);
    expect(Array.from(weight.data).sort((a, b) => a - b)).toEqual(data);
  });

  test.each(["nhw", "nhwx", "nhww"])("throws for the layout %s", (layout) => {
    expect(() => permute(nhwc, layout, "nchw")).toThrow(`cannot permute ${layout} of rank 4 to nchw`);
  });
});

describe("ULP distance", () => {
  test.each([
    [1, 1, 0],
    [1, 1 + 2 ** -23, 1],
    [1, 1 - 2 ** -24, 1],
    [0, -0, 0],
    [0, 2 ** -149, 1],
    [-(2 ** -149), 2 ** -149, 2],
    [1, 2, 2 ** 23],
    [-1, -2, 2 ** 23],
    [0.1, Math.fround(0.1), 0],
    [NaN, 1, Infinity],
    [NaN, NaN, Infinity],
  ])("from %d to %d is %d", (a, b, distance) => {
    expect(ulpDistance(a, b)).toBe(distance);
    expect(ulpDistance(b, a)).toBe(distance);
  });

  test("of lists is the largest; of different lengths infinite", () => {
    expect(largestUlpDistance([1, 1 + 2 ** -22, 3], [1, 1, 3])).toBe(2);
    expect(largestUlpDistance([1, NaN], [1, 2])).toBe(Infinity);
    expect(largestUlpDistance([1], [1, 2])).toBe(Infinity);
  });
});

describe("cutting a layer", () => {
  const axis = { input: 56, output: 28, kernel: 3, stride: 2, dilation: 1, padBegin: 1, padEnd: 0 };
  const layer: Layer = {
    batch: 50,
    groups: 1,
    inChannelsPerGroup: 64,
    outChannelsPerGroup: 64,
    height: axis,
    width: axis,
  };

  test("a layer that is small enough keeps everything but a batch beyond 2", () => {
    const reduced = reduceLayer(layer, 1e9);
    expect(reduced).toEqual({ ...layer, batch: 2 });
    expect(describeCuts(layer, reduced)).toBe(" (batch 50 cut to 2)");
    expect(describeCuts(reduced, reduced)).toBe("");
  });

  test("keeps kernel, stride, dilation, padding and channels while the size can be cut", () => {
    const reduced = reduceLayer(layer, 6e6);
    expect(multiplyAddsOf(reduced)).toBeLessThanOrEqual(6e6);
    expect(reduced).toMatchObject({ batch: 1, groups: 1, inChannelsPerGroup: 64, outChannelsPerGroup: 64 });
    for (const { input, output, kernel, stride, dilation, padBegin, padEnd } of [reduced.height, reduced.width]) {
      expect({ kernel, stride, dilation, padBegin, padEnd }).toEqual({
        kernel: 3,
        stride: 2,
        dilation: 1,
        padBegin: 1,
        padEnd: 0,
      });
      expect(input + padBegin + padEnd).toBe((output - 1) * stride + kernel);
      expect(output).toBeGreaterThanOrEqual(5);
    }
  });

  test("cuts groups before their channels, and those last", () => {
    const grouped = { ...layer, groups: 32 };
    expect(reduceLayer(grouped, 4e6)).toMatchObject({ groups: 4, inChannelsPerGroup: 64, outChannelsPerGroup: 64 });
    expect(reduceLayer(grouped, 2e6)).toMatchObject({ groups: 4, inChannelsPerGroup: 32, outChannelsPerGroup: 64 });
  });

  test("leaves cropping that reaches beyond a smaller input alone", () => {
    const cropped = { ...axis, input: 14, output: 1, kernel: 1, stride: 14, padBegin: 0, padEnd: -13 };
    expect(reduceLayer({ ...layer, height: cropped, width: cropped }, 1).height).toEqual(cropped);
  });

  test("gives shapes and options for the engine", () => {
    const { inputShape, weightShape, options } = layerShapes({ ...layer, groups: 2 });
    expect({ inputShape, weightShape }).toEqual({ inputShape: [50, 128, 56, 56], weightShape: [128, 64, 3, 3] });
    expect(options).toEqual({
      groups: 2,
      stride: [2, 2],
      dilation: [1, 1],
      padding: [
        [1, 0],
        [1, 0],
      ],
    });
  });
});
