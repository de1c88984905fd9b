/** Hyperparameters in every form a caller may give them, and the messages for those he may not. */
import { describe, expect, test } from "vitest";
import { ArgumentError, type Padding, type PerAxis } from "webgpu-conv";
import { readPadding, readPerAxis } from "../../src/problem/options.js";

describe("one value an axis", () => {
  test.each<[PerAxis | undefined, number[]]>([
    [undefined, [1, 1]],
    [3, [3, 3]],
    [
      [2, 5],
      [2, 5],
    ],
  ])("%o is read as %o", (value, expected) => expect(readPerAxis("stride", value, 2, 1)).toEqual(expected));

  test("a list is copied", () => {
    const list = [2, 3];
    expect(readPerAxis("stride", list, 2, 1)).not.toBe(list);
  });

  const rule = "expected an integer of at least 1 and below 2^31, or 2 of them, one an axis";
  test.each<[unknown, string]>([
    [0, "stride is 0"],
    [-1, "stride is -1"],
    [1.5, "stride is 1.5"],
    [NaN, "stride is NaN"],
    [Infinity, "stride is Infinity"],
    [2 ** 53, "stride is 9007199254740992"],
    [[1, 0], "stride is [1, 0]"],
    [[1], "stride is [1]"],
    [[1, 2, 3], "stride is [1, 2, 3]"],
    [[], "stride is []"],
    ["2", 'stride is "2"'],
    [["1", 2], 'stride is ["1", 2]'],
    [null, "stride is null"],
    [{ height: 2 }, "stride is Object"],
    [true, "stride is true"],
  ])("%o throws: %s", (value, start) => {
    expect(() => readPerAxis("stride", value as PerAxis, 2, 1)).toThrow(new ArgumentError(`${start}; ${rule}`));
  });
});

describe("padding", () => {
  const axes = [
    { input: 6, kernel: 3, stride: 2, dilation: 1 },
    { input: 9, kernel: 5, stride: 1, dilation: 2 },
  ];

  test.each<[string, Padding | undefined, [number, number][]]>([
    [
      "absent",
      undefined,
      [
        [0, 0],
        [0, 0],
      ],
    ],
    [
      '"valid"',
      "valid",
      [
        [0, 0],
        [0, 0],
      ],
    ],
    [
      "a number, on every side",
      2,
      [
        [2, 2],
        [2, 2],
      ],
    ],
    [
      "one an axis, on both its sides",
      [1, 3],
      [
        [1, 1],
        [3, 3],
      ],
    ],
    [
      "a pair an axis",
      [
        [1, 2],
        [3, 4],
      ],
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [
      "negative sides crop",
      [
        [-1, 2],
        [0, -4],
      ],
      [
        [-1, 2],
        [0, -4],
      ],
    ],
    [
      "a side may crop as much as the whole input",
      [
        [-6, 9],
        [0, 0],
      ],
      [
        [-6, 9],
        [0, 0],
      ],
    ],
    [
      '"same"',
      "same",
      [
        [0, 1],
        [4, 4],
      ],
    ],
    [
      '"same-lower"',
      "same-lower",
      [
        [1, 0],
        [4, 4],
      ],
    ],
  ])("%s", (_, padding, expected) => expect(readPadding(padding, axes)).toEqual(expected));

  const rule =
    'expected an integer of at least 0, 2 of them, 2 pairs [begin, end] of integers (negative ones crop), "valid", "same" or "same-lower"';
  test.each<[unknown, string]>([
    [-1, "padding is -1"],
    [0.5, "padding is 0.5"],
    [NaN, "padding is NaN"],
    [[1], "padding is [1]"],
    [[1, 2, 3], "padding is [1, 2, 3]"],
    [[1, -1], "padding is [1, -1]"],
    [[[1, 2]], "padding is [[1, 2]]"],
    [
      [
        [1, 2, 3],
        [1, 2],
      ],
      "padding is [[1, 2, 3], [1, 2]]",
    ],
    [
      [
        [1, 0.5],
        [0, 0],
      ],
      "padding is [[1, 0.5], [0, 0]]",
    ],
    [
      [
        [NaN, 0],
        [0, 0],
      ],
      "padding is [[NaN, 0], [0, 0]]",
    ],
    [
      [
        [-7, 0],
        [0, 0],
      ],
      "padding is [[-7, 0], [0, 0]]",
    ],
    [["1", "1"], 'padding is ["1", "1"]'],
    ["full", 'padding is "full"'],
    [null, "padding is null"],
    [{ top: 1 }, "padding is Object"],
  ])("%o throws: %s", (padding, start) => {
    expect(() => readPadding(padding as Padding, axes)).toThrow(new ArgumentError(`${start}; ${rule}`));
  });

  test("another library's word is taken for ours", () => {
    const message = `padding is "SAME"; ${rule}: did you mean "same"?`;
    expect(() => readPadding("SAME" as Padding, axes)).toThrow(new ArgumentError(message));
  });
});
