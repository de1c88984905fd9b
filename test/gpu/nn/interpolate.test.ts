/** Resizing: values, gradients, ONNX's coordinates and roundings. */
import { interpolate, type InterpolateOptions, Tape } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { gpuTest } from "../../support/gpuTest.js";
import { checkGradients } from "../../support/nn/checkGradients.js";

describe("interpolate", () => {
  gpuTest("gradients in both layouts, larger and smaller", async ({ bare: engine }) => {
    const options: InterpolateOptions[] = [
      { scaleFactor: 2 },
      { size: [3, 9], mode: "nearest-exact" },
      { scaleFactor: 2, mode: "bilinear" },
      { size: [7, 2], mode: "bilinear", alignCorners: true },
      { scaleFactor: [1.5, 0.6], mode: "linear", coordinates: "asymmetric" },
      { size: [9, 1], mode: "linear", coordinates: "pytorch-half-pixel" },
      { size: [3, 7], coordinates: "half-pixel", rounding: "prefer-floor" },
      { size: [9, 4], coordinates: "align-corners", rounding: "ceil" },
    ];
    for (const [i, each] of options.entries()) {
      const [shape, layout] =
        i % 2 === 0 ? ([[2, 2, 4, 5], "channels-first"] as const) : ([[1, 4, 5, 3], "channels-last"] as const);
      await checkGradients(engine, {
        inputs: { x: { shape } },
        compute: ({ x }) => interpolate(x, { ...each, layout }),
      });
    }
  });

  gpuTest("in one and three dimensions, from a single element and to one", async ({ bare: engine }) => {
    for (const [shape, options] of [
      [[2, 3, 5], { size: 12, mode: "linear" }],
      [[1, 2, 3, 2, 4], { scaleFactor: [2, 1, 0.5], mode: "trilinear" }],
      [[1, 4, 2, 3, 2], { size: [3, 1, 7], layout: "channels-last" }],
      [[2, 3, 1, 1], { size: [5, 70], mode: "bilinear" }],
      [[1, 2, 4, 3], { size: 1, mode: "bilinear", alignCorners: true }],
    ] as const) {
      await checkGradients(engine, { inputs: { x: { shape } }, compute: ({ x }) => interpolate(x, options) });
    }
  });

  gpuTest("places as ONNX Runtime and PyTorch have them", async ({ bare: engine }) => {
    const values = [0, 10, 20, 30, 40];
    using x = engine.tensor(values, [1, 1, 5]);
    const cases: [InterpolateOptions, number[]][] = [
      [{ scaleFactor: 2 }, [0, 0, 10, 10, 20, 20, 30, 30, 40, 40]],
      [{ size: 3 }, [0, 10, 30]],
      [{ size: 3, mode: "nearest-exact" }, [0, 20, 40]],
      [{ size: 7, coordinates: "half-pixel", rounding: "prefer-floor" }, [0, 10, 10, 20, 30, 30, 40]],
      [{ size: 2, coordinates: "align-corners", rounding: "floor" }, [0, 40]],
      [{ size: 4, rounding: "prefer-ceil" }, [0, 10, 30, 40]],
      [{ size: 4, rounding: "prefer-floor" }, [0, 10, 20, 40]],
      [{ size: 4, rounding: "ceil" }, [0, 20, 30, 40]],
      [{ size: 9, mode: "linear", alignCorners: true }, [0, 5, 10, 15, 20, 25, 30, 35, 40]],
      [{ size: 10, mode: "linear" }, [0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 32.5, 37.5, 40]],
      [{ size: 1, mode: "linear" }, [20]],
      [{ size: 1, mode: "linear", coordinates: "pytorch-half-pixel" }, [0]],
      // 5 * 1.5 = 7 elements, 1 / 1.5 apart: not 5 / 7, as a size of 7 would have it.
      [{ scaleFactor: 1.5, mode: "linear", coordinates: "asymmetric" }, [0, 20 / 3, 40 / 3, 20, 80 / 3, 100 / 3, 40]],
    ];
    for (const [options, expected] of cases) {
      using y = interpolate(x, options);
      const found = [...(await y.data())];
      expect(found.length).toBe(expected.length);
      for (const [i, value] of found.entries()) expect(value, JSON.stringify(options)).toBeCloseTo(expected[i], 4);
    }
  });

  gpuTest("NaN stays where it is, float16, an empty batch", async ({ bare: engine }) => {
    using x = engine.tensor([1, 2, NaN, 4], [1, 1, 4], { dtype: "float16" });
    using tape = new Tape(engine);
    using same = tape.run(() => interpolate(x, { size: 4, mode: "linear" }));
    using twice = interpolate(x, { scaleFactor: 2, mode: "linear" });
    expect([...(await same.data())]).toEqual([1, 2, NaN, 4]);
    expect([...(await twice.data())]).toEqual([1, 1.25, 1.75, NaN, NaN, NaN, NaN, 4]);
    const [dx] = tape.gradients(same, [x], { upstream: x });
    expect([...(await dx.data())]).toEqual([1, 2, NaN, 4]);
    expect([twice.dtype, dx.dtype]).toEqual(["float16", "float16"]);
    dx.dispose();
    using none = engine.tensor([], [0, 1, 4]);
    using nothing = interpolate(none, { size: 3 });
    expect(nothing.shape).toEqual([0, 1, 3]);
  });

  gpuTest("says what does not fit", ({ bare: engine }) => {
    using x = engine.tensor(new Float32Array(16), [1, 1, 4, 4]);
    const wrong = (value: unknown): never => value as never;
    for (const [call, message] of [
      [() => interpolate(x, {}), "size is undefined and scaleFactor is undefined; expected one of them"],
      [() => interpolate(x, { size: 2, scaleFactor: 2 }), "size is 2 and scaleFactor is 2; expected one of them"],
      [() => interpolate(x, { scaleFactor: -1 }), "scaleFactor is -1; expected a positive number, or 2 of them"],
      [() => interpolate(x, { scaleFactor: [1, 2, 3] }), "scaleFactor is [1, 2, 3]; expected a positive number, or 2"],
      [() => interpolate(x, { scaleFactor: 0.1 }), "scaleFactor 0.1 makes [0, 0] of [4, 4]; expected at least 1"],
      [() => interpolate(x, { size: 2, mode: wrong("cubic") }), 'mode is "cubic"; expected "nearest"'],
      [
        () => interpolate(x, { size: 2, mode: "trilinear" }),
        'mode is "trilinear" for 2 spatial dimensions; expected "linear" or "bilinear"',
      ],
      [() => interpolate(x, { size: 2, alignCorners: true }), 'alignCorners is true with mode "nearest"'],
      [() => interpolate(x, { size: 2, mode: "linear", rounding: "floor" }), 'rounding is "floor" with mode "linear"'],
      [
        () => interpolate(x, { size: 2, mode: "linear", alignCorners: true, coordinates: "asymmetric" }),
        'coordinates is "asymmetric"; expected one of them',
      ],
      [() => interpolate(x, { size: 2 ** 30 }), "expected less than 2^31: resize in two steps"],
    ] as const) {
      expect(call).toThrow(message);
    }
  });
});
