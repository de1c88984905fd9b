/** Axes in another order, channels into space and back: values, gradients. */
import { permute, pixelShuffle, pixelUnshuffle, Tape } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { gpuTest } from "../../support/gpuTest.js";
import { checkGradients } from "../../support/nn/checkGradients.js";

const count = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => i);

describe("permute", () => {
  gpuTest("any order of up to six axes, and gradients", async ({ bare: engine }) => {
    for (const [shape, axes] of [
      [
        [3, 4],
        [1, 0],
      ],
      [
        [2, 3, 4, 5],
        [0, 2, 3, 1],
      ],
      [
        [2, 3, 4, 5],
        [0, -1, 1, 2],
      ],
      [
        [2, 3, 1, 2, 3, 2],
        [5, 3, 1, 0, 2, 4],
      ],
      [
        [2, 1, 3, 2, 2, 2],
        [5, 4, 3, 2, 1, 0],
      ],
      [
        [2, 3],
        [0, 1],
      ],
    ] as const) {
      await checkGradients(engine, { inputs: { x: { shape } }, compute: ({ x }) => permute(x, axes) });
    }
    using x = engine.tensor(count(12), [2, 3, 2]);
    using y = permute(x, [2, 0, 1]);
    expect(y.shape).toEqual([2, 2, 3]);
    expect([...(await y.data())]).toEqual([0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]);
  });

  gpuTest("says what does not fit", ({ bare: engine }) => {
    using x = engine.tensor(count(6), [2, 3]);
    expect(() => permute(x, [0, 0])).toThrow("axes is [0, 0]; expected each of the 2 axes of x once");
    expect(() => permute(x, [0])).toThrow("axes is [0]; expected each of the 2 axes of x once");
    using wide = engine.tensor(count(128), [2, 2, 2, 2, 2, 2, 2]);
    expect(() => permute(wide, [6, 5, 4, 3, 2, 1, 0])).toThrow("are 7; expected at most 6");
  });
});

describe("pixel shuffle", () => {
  gpuTest("as PyTorch and ONNX have it", async ({ bare: engine }) => {
    using x = engine.tensor(count(16), [1, 8, 1, 2]);
    using y = pixelShuffle(x, 2);
    expect(y.shape).toEqual([1, 2, 2, 4]);
    expect([...(await y.data())]).toEqual([0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15]);
    using deep = pixelShuffle(x, 2, { channelOrder: "DCR" });
    expect([...(await deep.data())]).toEqual([0, 4, 1, 5, 8, 12, 9, 13, 2, 6, 3, 7, 10, 14, 11, 15]);
    using last = engine.tensor(count(16), [1, 1, 2, 8]);
    using lasts = pixelShuffle(last, 2, { layout: "channels-last" });
    expect(lasts.shape).toEqual([1, 2, 4, 2]);
    expect([...(await lasts.data())]).toEqual([0, 4, 1, 5, 8, 12, 9, 13, 2, 6, 3, 7, 10, 14, 11, 15]);
  });

  gpuTest("back again, with gradients, in every order", async ({ bare: engine }) => {
    for (const [shape, layout] of [
      [[2, 18, 2, 3], "channels-first"],
      [[2, 3, 18], "channels-last"],
    ] as const) {
      for (const channelOrder of ["CRD", "DCR"] as const) {
        const options = { layout, channelOrder };
        await checkGradients(engine, { inputs: { x: { shape } }, compute: ({ x }) => pixelShuffle(x, 3, options) });
        const big = layout === "channels-first" ? [2, 2, 6, 3] : [6, 3, 2];
        await checkGradients(engine, {
          inputs: { x: { shape: big } },
          compute: ({ x }) => pixelUnshuffle(x, 3, options),
        });
        using x = engine.tensor(count(shape.reduce((a: number, b) => a * b, 1)), shape);
        using y = pixelShuffle(x, 3, options);
        using z = pixelUnshuffle(y, 3, options);
        expect(z.shape).toEqual(shape);
        expect(await z.data()).toEqual(await x.data());
      }
    }
  });

  gpuTest("float16, NaN, an empty batch", async ({ bare: engine }) => {
    using x = engine.tensor([1, NaN, 3, 4], [4, 1, 1], { dtype: "float16" });
    using tape = new Tape(engine);
    using y = tape.run(() => pixelShuffle(x, 2));
    expect([y.dtype, y.shape]).toEqual(["float16", [1, 2, 2]]);
    expect([...(await y.data())]).toEqual([1, NaN, 3, 4]);
    const [dx] = tape.gradients(y, [x], { upstream: y });
    expect([...(await dx.data())]).toEqual([1, NaN, 3, 4]);
    dx.dispose();
    using none = engine.tensor([], [0, 4, 1, 2]);
    using nothing = pixelShuffle(none, 2);
    expect(nothing.shape).toEqual([0, 1, 2, 4]);
  });

  gpuTest("says what does not fit", ({ bare: engine }) => {
    using x = engine.tensor(count(18), [1, 2, 3, 3]);
    expect(() => pixelShuffle(x, 2)).toThrow("has 2 channels; expected a multiple of factor * factor = 4");
    expect(() => pixelUnshuffle(x, 2)).toThrow("has 3 rows and 3 columns; expected multiples of factor = 2");
    expect(() => pixelShuffle(x, 0)).toThrow("factor is 0; expected an integer of at least 1");
    expect(() => pixelShuffle(x, 1, { channelOrder: "RCD" as never })).toThrow(
      'channelOrder is "RCD"; expected "CRD" or "DCR"',
    );
  });
});
