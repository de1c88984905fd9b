/** Padding as an operation: values, gradients. */
import { pad, type PadOptions } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { gpuTest } from "../../support/gpuTest.js";
import { checkGradients } from "../../support/nn/checkGradients.js";

describe("pad", () => {
  gpuTest("gradients in every mode, both layouts, all ranks, with crops", async ({ bare: engine }) => {
    for (const paddingMode of ["zeros", "reflect", "symmetric", "replicate", "circular"] as const) {
      const cases: [readonly number[], PadOptions][] = [
        [
          [2, 2, 4, 5],
          {
            padding: [
              [3, 2],
              [-1, 3],
            ],
            paddingMode,
          },
        ],
        [[1, 4, 3, 2], { padding: [2, 1], paddingMode, layout: "channels-last" }],
        [[1, 2, 5], { padding: [[-2, 4]], paddingMode }],
        [[1, 2, 2, 3, 3], { padding: 1, paddingMode }],
      ];
      for (const [shape, options] of cases) {
        await checkGradients(engine, { inputs: { x: { shape } }, compute: ({ x }) => pad(x, options) });
      }
    }
  });

  gpuTest("values as PyTorch has them; float16, NaN, an empty batch", async ({ bare: engine }) => {
    using x = engine.tensor([1, 2, NaN], [1, 1, 3], { dtype: "float16" });
    const cases: [PadOptions, number[]][] = [
      [{ padding: 2, value: 7 }, [7, 7, 1, 2, NaN, 7, 7]],
      [{ padding: 2, paddingMode: "reflect" }, [NaN, 2, 1, 2, NaN, 2, 1]],
      [{ padding: 2, paddingMode: "symmetric" }, [2, 1, 1, 2, NaN, NaN, 2]],
      [{ padding: 4, paddingMode: "replicate" }, [1, 1, 1, 1, 1, 2, NaN, NaN, NaN, NaN, NaN]],
      [{ padding: 3, paddingMode: "circular" }, [1, 2, NaN, 1, 2, NaN, 1, 2, NaN]],
      [{ padding: [[-1, 0]] }, [2, NaN]],
    ];
    for (const [options, expected] of cases) {
      using y = pad(x, options);
      expect([...(await y.data())]).toEqual(expected);
      expect(y.dtype).toBe("float16");
    }
    using none = engine.tensor([], [0, 2, 3]);
    using nothing = pad(none, { padding: 1 });
    expect(nothing.shape).toEqual([0, 2, 5]);
  });

  gpuTest("says what does not fit", ({ bare: engine }) => {
    using x = engine.tensor(new Float32Array(9), [1, 1, 3, 3]);
    const wrong = (value: unknown): never => value as never;
    for (const [call, message] of [
      [() => pad(x, wrong({})), "padding is undefined; expected a number, one an axis, or pairs"],
      [() => pad(x, wrong({ padding: "same" })), 'padding is "same"; expected a number'],
      [() => pad(x, { padding: 3, paddingMode: "reflect" }), "padding [3, 3] along spatial axis 0 with paddingMode"],
      [
        () =>
          pad(x, {
            padding: [
              [-2, -1],
              [0, 0],
            ],
          }),
        "leaves [0, 3] of [3, 3]; expected at least 1",
      ],
      [() => pad(x, { padding: 1, paddingMode: "circular", value: 2 }), "value is 2 with paddingMode"],
      [() => pad(x, { padding: 1, paddingMode: wrong("edge") }), 'did you mean "replicate"?'],
    ] as const) {
      expect(call).toThrow(message);
    }
  });
});
