/** ConvProblem: what it derives, and each rule with its message. */
import { describe, expect, test } from "vitest";
import { ArgumentError, type ConvOptions } from "webgpu-conv";
import { makeProblem, outputShapeOf, type Rank } from "webgpu-conv/reference";
import { asRow } from "../../src/problem/pointwise.js";
import { makeUnsharedProblem } from "../../src/problem/unshared.js";
import { requireSameShape } from "../../src/problem/shapes.js";

describe("what is derived", () => {
  test("of a 2D layer, with a degenerate depth", () => {
    const options = { stride: [2, 1], dilation: [1, 3], padding: [1, 2], groups: 2 };
    const problem = makeProblem(2, [5, 6, 9, 10], [8, 3, 3, 2], options);
    expect(problem).toMatchObject({
      rank: 2,
      batch: 5,
      groups: 2,
      inChannels: 6,
      outChannels: 8,
      inChannelsPerGroup: 3,
      outChannelsPerGroup: 4,
      input: [1, 9, 10],
      kernel: [1, 3, 2],
      output: [1, 5, 11],
      stride: [1, 2, 1],
      dilation: [1, 1, 3],
      padBegin: [0, 1, 2],
      padEnd: [0, 1, 2],
      inputPositions: 90,
      outputPositions: 55,
      taps: 6,
      inputShape: [5, 6, 9, 10],
      weightShape: [8, 3, 3, 2],
      outputShape: [5, 8, 5, 11],
      multiplyAdds: 5 * 55 * 8 * 3 * 6,
    });
  });

  test("of 1D and 3D layers", () => {
    expect(outputShapeOf(1, [2, 3, 10], [4, 3, 3], { padding: [[2, 0]] })).toEqual([2, 4, 10]);
    expect(makeProblem(1, [2, 3, 10], [4, 3, 3])).toMatchObject({ input: [1, 1, 10], kernel: [1, 1, 3] });
    expect(outputShapeOf(3, [1, 2, 5, 6, 7], [4, 2, 1, 2, 3], { stride: [1, 2, 3] })).toEqual([1, 4, 5, 3, 2]);
  });

  test("is frozen, and keeps no reference to the caller's lists", () => {
    const input = [1, 1, 4, 4];
    const problem = makeProblem(2, input, [1, 1, 3, 3]);
    input[2] = 9;
    expect(problem.inputShape).toEqual([1, 1, 4, 4]);
    expect(Object.isFrozen(problem)).toBe(true);
  });

  test("has a key that tells different problems apart, and only those", () => {
    const key = (options: ConvOptions, input = [1, 4, 6, 6], weight = [4, 4, 3, 3]): string =>
      makeProblem(2, input, weight, options).key;
    const keys = [
      key({}),
      key({ stride: 2 }),
      key({ stride: [1, 2] }),
      key({ dilation: 2 }),
      key({ padding: 1 }),
      key({
        padding: [
          [1, 0],
          [0, 0],
        ],
      }),
      key({
        padding: [
          [0, 1],
          [0, 0],
        ],
      }),
      key({ groups: 2 }, [1, 4, 6, 6], [4, 2, 3, 3]),
      key({}, [1, 4, 6, 7]),
      key({}, [2, 4, 6, 6]),
      key({}, [1, 4, 6, 6], [5, 4, 3, 3]),
      makeProblem(1, [1, 4, 6], [4, 4, 3]).key,
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(key({ padding: "same" })).toBe(key({ padding: [1, 1], stride: [1, 1], groups: 1, dilation: 1 }));
  });
});

describe("a pointwise problem as a row", () => {
  const shapes = [
    [2, 6, 5, 7],
    [4, 3, 1, 1],
  ] as const;

  test("keeps its elements where they are, and the caller's shapes", () => {
    for (const layout of ["channels-first", "channels-last"] as const) {
      const [[n, c, h, w], filters] = shapes;
      const input = layout === "channels-first" ? [n, c, h, w] : [n, h, w, c];
      const options = { groups: 2, layout, dilation: 3, paddingMode: "reflect" } as const;
      const plane = makeProblem(2, input, filters, options);
      const flat = layout === "channels-first" ? [n, c, h * w] : [n, h * w, c];
      const { inputShape, weightShape, outputShape } = plane;
      const row = makeProblem(1, flat, [4, 3, 1], { groups: 2, layout });
      expect(asRow(plane)).toEqual({
        ...row,
        inputShape,
        weightShape,
        outputShape,
        weightOrder: plane.weightOrder,
        key: `${plane.key},row`,
      });
    }
  });

  test("is none with a larger filter, a stride, padding, or filters of each position's own", () => {
    const others = [
      makeProblem(2, [2, 6, 5, 7], [4, 6, 1, 2]),
      makeProblem(2, [2, 6, 5, 7], [4, 6, 1, 1], { stride: [2, 1] }),
      makeProblem(2, [2, 6, 5, 7], [4, 6, 1, 1], { padding: [0, 1] }),
      makeProblem(2, [2, 6, 5, 7], [4, 6, 1, 1], {
        padding: [
          [0, -1],
          [0, 0],
        ],
      }),
      makeUnsharedProblem(2, [2, 6, 2, 2], [2, 2, 4, 6, 1, 1]),
      makeProblem(1, [2, 6, 7], [4, 6, 1]),
    ];
    for (const problem of others) expect(asRow(problem)).toBe(problem);
  });
});

describe("a rule that is broken is named with the values", () => {
  const cases: readonly [input: unknown, weight: unknown, options: ConvOptions, message: string][] = [
    [[3, 8], [4, 3, 3, 3], {}, "input has shape [3, 8]; expected 4 dimensions [N, C, H, W], or 3 without N"],
    [[1, 3, 8, 8], [4, 3, 3], {}, "weight has shape [4, 3, 3]; expected 4 dimensions [out, in / groups, KH, KW]"],
    ["8x8", [4, 3, 3, 3], {}, 'input has shape "8x8"; expected 4 dimensions [N, C, H, W], or 3 without N'],
    [undefined, [4, 3, 3, 3], {}, "input has shape undefined; expected 4 dimensions [N, C, H, W], or 3 without N"],
    [
      [1, 3, 0, 8],
      [4, 3, 3, 3],
      {},
      "input has shape [1, 3, 0, 8]; expected every dimension to be an integer of at least 1, or 0 for the batch",
    ],
    [
      [1, 3, 8, 8],
      [4, 3, 3, 1.5],
      {},
      "weight has shape [4, 3, 3, 1.5]; expected every dimension to be an integer of at least 1",
    ],
    [
      [1, 3, 8, NaN],
      [4, 3, 3, 3],
      {},
      "input has shape [1, 3, 8, NaN]; expected every dimension to be an integer of at least 1, or 0 for the batch",
    ],
    [
      [-1, 3, 8, 8],
      [4, 3, 3, 3],
      {},
      "input has shape [-1, 3, 8, 8]; expected every dimension to be an integer of at least 1, or 0 for the batch",
    ],
    [[1, 3, 8, 8], [4, 5, 3, 3], {}, "weight has 5 input channels; expected 3 / 1 groups = 3"],
    [[1, 8, 8, 8], [4, 3, 3, 3], { groups: 2 }, "weight has 3 input channels; expected 8 / 2 groups = 4"],
    [[1, 3, 8, 8], [4, 1, 3, 3], { groups: 2 }, "input has 3 channels; expected a multiple of groups = 2"],
    [[1, 4, 8, 8], [3, 2, 3, 3], { groups: 2 }, "weight has 3 output channels; expected a multiple of groups = 2"],
    [[1, 3, 8, 8], [4, 3, 3, 3], { groups: 0 }, "groups is 0; expected an integer of at least 1"],
    [[1, 3, 8, 8], [4, 3, 3, 3], { groups: 1.5 }, "groups is 1.5; expected an integer of at least 1"],
    [[1, 3, 8, 8], [4, 3, 3, 3], { groups: NaN }, "groups is NaN; expected an integer of at least 1"],
    [[1, 3, 8, 8], [4, 3, 3, 3], { groups: -3 }, "groups is -3; expected an integer of at least 1"],
    [
      [1, 3, 2, 8],
      [4, 3, 3, 3],
      {},
      "the output would be empty along height: input 2 + padding 0 + 0 = 2 is smaller than the filter's span, dilation 1 * (kernel 3 - 1) + 1 = 3",
    ],
    [
      [1, 3, 8, 4],
      [4, 3, 3, 3],
      {
        dilation: [1, 4],
        padding: [
          [0, 0],
          [1, 2],
        ],
      },
      "the output would be empty along width: input 4 + padding 1 + 2 = 7 is smaller than the filter's span, dilation 4 * (kernel 3 - 1) + 1 = 9",
    ],
    [
      [1, 3, 8, 8],
      [4, 3, 3, 3],
      {
        padding: [
          [-4, -4],
          [0, 0],
        ],
      },
      "the output would be empty along height: input 8 + padding -4 + -4 = 0 is smaller than the filter's span, dilation 1 * (kernel 3 - 1) + 1 = 3",
    ],
  ];

  test.each(cases)("input %o, weight %o, %o: %s", (input, weight, options, message) => {
    expect(() => makeProblem(2, input as number[], weight as number[], options)).toThrow(new ArgumentError(message));
  });

  test.each([
    [1, "input has shape [1]; expected 3 dimensions [N, C, W], or 2 without N"],
    [3, "input has shape [1]; expected 5 dimensions [N, C, D, H, W], or 4 without N"],
  ] as const)("rank %i names its own axes", (rank: Rank, message) => {
    expect(() => makeProblem(rank, [1], [1, 1])).toThrow(new ArgumentError(message));
  });

  test("an empty axis is named in every rank", () => {
    expect(() => makeProblem(1, [1, 1, 2], [1, 1, 3])).toThrow("empty along width");
    expect(() => makeProblem(3, [1, 1, 2, 9, 9], [1, 1, 3, 3, 3])).toThrow("empty along depth");
    expect(() => makeProblem(3, [1, 1, 9, 2, 9], [1, 1, 3, 3, 3])).toThrow("empty along height");
  });

  test("shapes that must agree", () => {
    expect(() => requireSameShape("dy", [1, 2], [1, 2], "the output's shape")).not.toThrow();
    const message = "dy has shape [1, 2]; expected [1, 2, 3], the output's shape";
    expect(() => requireSameShape("dy", [1, 2], [1, 2, 3], "the output's shape")).toThrow(new ArgumentError(message));
    expect(() => requireSameShape("dy", [1, 3], [1, 2], "why")).toThrow("dy has shape [1, 3]; expected [1, 2], why");
  });
});

test("the smallest problem there is: everything 1", () => {
  expect(outputShapeOf(2, [1, 1, 1, 1], [1, 1, 1, 1])).toEqual([1, 1, 1, 1]);
});

test.each<ConvOptions>([{ stride: 2 ** 32 }, { dilation: 2 ** 32 }])(
  "%o, more than a shader's 32-bit integers hold, is refused by the call itself",
  (options) => expect(() => makeProblem(2, [1, 1, 4, 4], [1, 1, 1, 1], options)).toThrow(ArgumentError),
);
