/** The example of text detection, without its network: what goes into it, and what is made of what comes out. */
import { describe, expect, test } from "vitest";
import { parseArguments } from "../../../examples/detect/arguments.js";
import { intersectionOverUnion } from "../../../examples/detect/box.js";
import { checkLines } from "../../../examples/detect/checkLines.js";
import { drawBoxes } from "../../../examples/detect/drawBoxes.js";
import { findBoxes, type ProbabilityMap, type TextBox } from "../../../examples/detect/findBoxes.js";
import { inputSize, prepareInput } from "../../../examples/detect/input.js";
import { differenceOf } from "../../../examples/detect/difference.js";
import { boxTable, differenceWords } from "../../../examples/detect/report.js";
import { drawTextPicture } from "../../../examples/detect/textPicture.js";
import { UsageError } from "../../../examples/filters/arguments.js";
import { toBitmap } from "../../../examples/filters/pictureFile.js";

describe("the command line", () => {
  test("has a picture, a result and --compare, each of which may be absent", () => {
    expect(parseArguments([])).toEqual({ picture: undefined, out: "out/detect.png", compares: false });
    expect(parseArguments(["a.png"])).toEqual({ picture: "a.png", out: "out/detect.png", compares: false });
    expect(parseArguments(["a.png", "--compare", "b.png"])).toEqual({ picture: "a.png", out: "b.png", compares: true });
  });

  test.each([
    [["--fast"], "unknown option --fast; expected --compare or none"],
    [[""], "an argument is empty; expected PICTURE.png and OUT.png"],
    [["a", "b", "c"], "got 3 files, a b c; expected at most 2: PICTURE.png and OUT.png"],
  ])("%j is none", (words, message) => {
    expect(() => parseArguments(words)).toThrow(new UsageError(message));
  });
});

describe("what the network takes", () => {
  test.each([
    [480, 320, 480, 320],
    [100, 47, 96, 32],
    [1, 1, 32, 32],
    // 960 over 2000 is 0.48: 960 and 624, of which the latter is 19.5 times 32.
    [2000, 1301, 960, 640],
    [1301, 2000, 640, 960],
  ])("%i x %i becomes %i x %i", (width, height, ...expected) => {
    expect(inputSize(width, height)).toEqual(expected);
  });

  test("is blue, green and red, each less its mean and over its deviation", () => {
    const pixels = 32 * 32;
    const planes = new Float32Array(3 * pixels);
    [0.25, 0.5, 0.75].forEach((value, plane) => planes.fill(value, plane * pixels, (plane + 1) * pixels));
    // Red alone at the second pixel.
    [planes[1], planes[pixels + 1], planes[2 * pixels + 1]] = [1, 0, 0];
    const { width, height, values } = prepareInput({ width: 32, height: 32, planes });
    expect([width, height, values.length]).toEqual([32, 32, 3 * pixels]);
    const at = (pixel: number): number[] => [0, 1, 2].map((channel) => values[channel * pixels + pixel]);
    // (0.75 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.25 - 0.406) / 0.225
    expect(at(0)).toEqual([1.157205240174672, 0.19642857142857142, -0.6933333333333334].map(Math.fround));
    // -0.485 / 0.229, -0.456 / 0.224, (1 - 0.406) / 0.225
    expect(at(1)).toEqual([-2.1179039301310043, -2.035714285714286, 2.64].map(Math.fround));
  });

  test("is interpolated between pixels' centres where the picture has another size", () => {
    // Two columns become 32: centres of the two are at 7.5 and 23.5, between which values rise by a sixteenth.
    const planes = Float32Array.of(0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1);
    const { values } = prepareInput({ width: 2, height: 2, planes });
    const blue = Array.from(values.subarray(5 * 32, 6 * 32), (value) => value * 0.229 + 0.485);
    const expected = Array.from({ length: 32 }, (_, i) => Math.min(1, Math.max(0, (i - 7.5) / 16)));
    blue.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 6));
  });
});

/** A map of zeros with rectangles of one probability each. */
function mapOf(width: number, height: number, ...parts: (readonly number[])[]): ProbabilityMap {
  const values = new Float32Array(width * height);
  for (const [left, top, right, bottom, value] of parts)
    for (let y = top; y < bottom; y++) values.fill(value, y * width + left, y * width + right);
  return { width, height, values };
}

const sides = ({ left, top, right, bottom }: TextBox): number[] => [left, top, right, bottom];
const boxesOf = (map: ProbabilityMap, width = map.width, height = map.height): number[][] =>
  findBoxes(map, width, height).map(sides);

describe("boxes of a map", () => {
  // 30 x 10: grows by 300 * 1.5 / 80 = 5.625 on each side.
  test("grow by their area times 1.5 over their perimeter, and have their mean as their score", () => {
    const boxes = findBoxes(mapOf(100, 60, [20, 20, 50, 30, 0.75]), 100, 60);
    expect(boxes).toEqual([{ left: 14, top: 14, right: 56, bottom: 36, score: 0.75 }]);
  });

  test("are in pixels of the picture, and end at its edges", () => {
    const map = mapOf(100, 60, [20, 20, 50, 30, 0.75]);
    // 14.375 * 2 = 28.75, 14.375 * 3 = 43.125, 55.625 * 2 = 111.25, 35.625 * 3 = 106.875
    expect(boxesOf(map, 200, 180)).toEqual([[29, 43, 111, 107]]);
    expect(boxesOf(mapOf(40, 20, [2, 3, 38, 19, 1]))).toEqual([[0, 0, 40, 20]]);
  });

  test("are one for pixels that touch, at corners too, from top to bottom", () => {
    const touching = mapOf(100, 60, [10, 30, 20, 40, 1], [20, 40, 30, 50, 1]);
    // A box of 20 x 20, half of it text: below 0.6.
    expect(boxesOf(touching)).toEqual([]);
    const overlapping = mapOf(100, 60, [10, 30, 22, 42, 1], [20, 30, 30, 40, 1], [50, 8, 60, 18, 1]);
    expect(boxesOf(overlapping)).toEqual([
      // 10 x 10 grows by 3.75; 20 x 12 by 240 * 1.5 / 64 = 5.625.
      [46, 4, 64, 22],
      [4, 24, 36, 48],
    ]);
  });

  test.each<[string, readonly number[][], number]>([
    [
      "what is around a line at 0.29 is no text",
      [
        [10, 10, 60, 40, 0.29],
        [20, 20, 50, 30, 1],
      ],
      1,
    ],
    [
      "at 0.31 it is, and the mean is below 0.6",
      [
        [10, 10, 60, 40, 0.31],
        [20, 20, 50, 30, 1],
      ],
      0,
    ],
    ["a mean below 0.6 is none", [[20, 20, 50, 30, 0.59]], 0],
    ["a mean above is one", [[20, 20, 50, 30, 0.61]], 1],
    ["two rows are too few", [[20, 20, 50, 22, 1]], 0],
    ["three are enough", [[20, 20, 50, 23, 1]], 1],
    ["a column between keeps regions apart", [[10, 20, 30, 30, 1], [31, 20, 51, 30, 1]], 2], // prettier-ignore
    ["the end of a row does not touch the next", [[90, 10, 100, 20, 1], [0, 11, 10, 21, 1]], 2], // prettier-ignore
  ])("%s", (_, parts, count) => {
    expect(boxesOf(mapOf(100, 60, ...parts))).toHaveLength(count);
  });
});

describe("what is told of boxes", () => {
  const box = { left: 10, top: 10, right: 30, bottom: 20 };

  test("intersection over union", () => {
    expect(intersectionOverUnion(box, box)).toBe(1);
    expect(intersectionOverUnion(box, { left: 20, top: 10, right: 40, bottom: 20 })).toBeCloseTo(100 / 300, 12);
    expect(intersectionOverUnion(box, { left: 40, top: 0, right: 50, bottom: 40 })).toBe(0);
  });

  test("lines without a box, and boxes without a line, fail", () => {
    const lines = [{ text: "one", box }];
    const good: TextBox = { left: 8, top: 9, right: 32, bottom: 21, score: 0.9 };
    const stray: TextBox = { left: 50, top: 50, right: 60, bottom: 60, score: 0.9 };
    const check = checkLines(lines, [good]);
    // 200 of 24 * 12.
    expect(check.lines[0]).toMatchObject({ box: good, isFound: true });
    expect(check.lines[0].overlap).toBeCloseTo(200 / 288, 12);
    expect(check.pass).toBe(true);
    expect(checkLines(lines, [good, stray])).toMatchObject({ pass: false, strays: [stray] });
    expect(checkLines(lines, [])).toMatchObject({ pass: false, lines: [{ isFound: false, overlap: 0 }] });
    // Half of the line, and less than half of both.
    const half = { left: 20, top: 9, right: 32, bottom: 21, score: 0.9 };
    expect(checkLines(lines, [half])).toMatchObject({ pass: false, lines: [{ isFound: false }], strays: [half] });
  });

  test("a table with place, size and score", () => {
    const rows = boxTable([{ left: 8, top: 9, right: 32, bottom: 21, score: 0.9 }]).split("\n");
    expect(rows.map((row) => row.trim().split(/\s+/))).toEqual([
      ["box", "left", "top", "width", "height", "score"],
      ["1", "8", "9", "24", "12", "0.900"],
    ]);
    expect(boxTable([])).toBe("no text");
  });

  test("frames just within them", () => {
    const grey = { width: 10, height: 8, channels: 3 as const, data: new Uint8Array(240).fill(100) };
    const { data } = drawBoxes(grey, [{ left: 1, top: 1, right: 9, bottom: 8 }]);
    const changed = Array.from({ length: 8 }, (_, y) =>
      Array.from({ length: 10 }, (_, x) => (data[3 * (10 * y + x)] === 100 ? "." : "#")).join(""),
    );
    expect(changed).toEqual([
      "..........",
      ".########.",
      ".########.",
      ".##....##.",
      ".##....##.",
      ".##....##.",
      ".########.",
      ".########.",
    ]);
    expect(grey.data.every((value) => value === 100)).toBe(true);
  });
});

describe("differences of results", () => {
  test("are absolute, and relative to the largest expected value", () => {
    expect(differenceOf([0.5, -2, 4], [0.5, -2.5, 4])).toEqual({ absolute: 0.5, relative: 0.125 });
    expect(differenceOf([0, 0], [0, 0])).toEqual({ absolute: 0, relative: 0 });
    expect(differenceOf([1], [0]).relative).toBe(Infinity);
  });

  test("are NaN where one value is, which does not pass", () => {
    const difference = differenceOf([NaN, 5, 1], [0, 1, 1]);
    expect(difference).toEqual({ absolute: NaN, relative: NaN });
    const runtime = { values: new Float32Array(), firstRun: 1, warmRun: 1 };
    expect(differenceWords(difference, runtime)).toContain("FAIL");
    expect(differenceWords({ absolute: 1, relative: 1.01e-4 }, runtime)).toContain("FAIL");
    expect(differenceWords({ absolute: 1, relative: 1e-4 }, runtime)).toContain("pass");
  });

  test("need as many values", () => {
    expect(() => differenceOf([1], [1, 2])).toThrow("there are 1 values to compare; expected 2");
  });
});

test("the letters of the picture's lines reach every side of their boxes, which are apart", () => {
  const { picture, lines } = drawTextPicture();
  const { width, height, data } = toBitmap(picture);
  expect([width % 32, height % 32]).toEqual([0, 0]);
  for (const [i, { text, box }] of lines.entries()) {
    const { left, top, right, bottom } = box;
    expect(
      [left, top, width - right, height - bottom].every((room) => room > 8),
      text,
    ).toBe(true);
    // Backgrounds change by a level or two from pixel to pixel, letters stand out.
    const isInk = (x: number, y: number): boolean => {
      const [pixel, corner] = [3 * (y * width + x), 3 * ((top - 4) * width + left - 4)];
      return Math.abs(data[pixel] - data[corner]) > 60 || Math.abs(data[pixel + 1] - data[corner + 1]) > 60;
    };
    const inkAt = { left: Infinity, top: Infinity, right: 0, bottom: 0 };
    for (let y = top - 4; y < bottom + 4; y++) {
      for (let x = left - 4; x < right + 4; x++) {
        if (!isInk(x, y)) continue;
        inkAt.left = Math.min(inkAt.left, x);
        inkAt.top = Math.min(inkAt.top, y);
        inkAt.right = Math.max(inkAt.right, x + 1);
        inkAt.bottom = Math.max(inkAt.bottom, y + 1);
      }
    }
    expect(inkAt, text).toEqual(box);
    for (const other of lines.slice(i + 1)) expect(intersectionOverUnion(box, other.box)).toBe(0);
  }
});
