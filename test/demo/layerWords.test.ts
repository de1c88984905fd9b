/** What the layer's part says, over all settings of its sliders, against what the reference does and what is counted out. */
import { describe, expect, test } from "vitest";
import { inputGradient } from "webgpu-conv/reference";
import { describeFit, type FitSettings } from "../../examples/demo/parts/layer/fit.js";
import { checkOf } from "../../examples/demo/parts/layer/scene.js";
import { describeSeen } from "../../examples/demo/parts/layer/seen.js";
import { sidesOfX } from "../../examples/demo/parts/layer/sides.js";
import { describeCheck, type Extents, headsOf, wordsFor } from "../../examples/demo/parts/layer/words.js";
import { everyLayer, everySetting, problemOf } from "./support/layerSettings.js";

const rangeOf = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Rows of the input that no window sees: those that get no gradient of an output of ones. */
function unseenRows(settings: FitSettings): number[] {
  const problem = problemOf(settings);
  if (!problem) throw new Error("no such layer");
  const ones = (shape: readonly number[]): Float32Array => new Float32Array(shape[2]).fill(1);
  const dx = inputGradient(problem, ones(problem.outputShape), ones(problem.weightShape));
  return rangeOf(settings.W).filter((row) => dx[row] === 0);
}

/** Rows that a text says are not seen: "the last 2 rows and columns", "row and column 3", "rows and columns 1 and 3". */
function rowsNamed(text: string, W: number): number[] {
  const ofInput = text.replaceAll(/the last [^.]* of the padding/g, "");
  const last = /the last (?:(\d+) rows and columns|row and column) of the input/.exec(ofInput);
  const [, count] = (last ?? []) as (string | undefined)[];
  const behind = last ? Number(count ?? 1) : 0;
  const named = [...ofInput.matchAll(/rows? and columns? ((?:\d+(?:, | and )?)+)/gi)].flatMap(([, list]) =>
    [...list.matchAll(/\d+/g)].map(([row]) => Number(row)),
  );
  return [...new Set([...named, ...rangeOf(behind).map((i) => W - 1 - i)])].sort((a, b) => a - b);
}

/** A layer for words, whatever its channels. */
const extentsOf = (settings: FitSettings, O: number, C = 3, K = 2): Extents => ({ ...settings, C, K, O });

describe("what fits", () => {
  test("is what the engine takes, and sees to the end", () => {
    const counts = { fits: 0, uneven: 0, impossible: 0 };
    for (const settings of everySetting()) {
      const { kind, reason, remedies } = describeFit(settings);
      counts[kind]++;
      const problem = problemOf(settings);
      expect(kind === "impossible").toBe(problem === undefined);
      if (problem) {
        const { S, P, D, F, W } = settings;
        const end = (problem.output[2] - 1) * S + D * (F - 1) - P;
        const behind = unseenRows(settings).filter((row) => row > end);
        expect(kind).toBe(behind.length === 0 ? "fits" : "uneven");
        expect(rowsNamed(reason, W)).toEqual(behind);
      }
      expect(reason === "").toBe(kind === "fits");
      for (const remedy of remedies) expect(describeFit({ ...settings, ...remedy }).kind).toBe("fits");
      expect(remedies.length > 0).toBe(kind !== "fits");
    }
    expect(Math.min(...Object.values(counts))).toBeGreaterThan(100);
  });

  test("ResNet's own geometry does, and nothing is said against it", () => {
    for (const W of [6, 8]) {
      const settings = { W, F: 3, S: 2, P: 1, D: 1, mode: "zeros" } as const;
      expect(describeFit(settings)).toEqual({ kind: "fits", reason: "", remedies: [] });
      expect(describeSeen(settings)).toBe(
        "Rounded down: no window reaches the last row and column of the padding. Every row and column of the input is seen.",
      );
    }
  });

  test("rows that are not seen are named, and no others, for all settings", () => {
    let between = 0;
    for (const { settings, problem } of everyLayer()) {
      const said = describeSeen(settings);
      const unseen = unseenRows(settings);
      const none = said.includes("padding alone");
      expect(none ? rangeOf(settings.W) : rowsNamed(said, settings.W), JSON.stringify(settings)).toEqual(unseen);
      expect(said.includes("Every row and column of the input is seen")).toBe(unseen.length === 0);
      const { W, F, S, P, D } = settings;
      const reached = (problem.output[2] - 1) * S + D * (F - 1) + 1;
      const padding = Math.min(P, W + 2 * P - reached);
      const [, ofPadding] = /the last (.*?) of the padding/.exec(said) ?? [];
      const counted = padding === 1 ? "row and column" : `${String(padding)} rows and columns`;
      expect(ofPadding).toBe(padding > 0 ? counted : undefined);
      if (said.includes("between")) between++;
    }
    expect(between).toBeGreaterThan(100);
  });

  test.each([
    [
      { W: 7, F: 1, S: 2, P: 0 },
      "Rows and columns 1, 3 and 5, counted from 0, lie between the windows: they are never seen.",
    ],
    [
      { W: 3, F: 2, S: 1, P: 0, D: 2 },
      "Row and column 1, counted from 0, lie between the taps of all windows: they are never seen.",
    ],
    [{ W: 8, F: 3, S: 2, P: 0 }, "No window reaches the last row and column of the input."],
    [{ W: 3, F: 1, S: 4, P: 1 }, "The windows see padding alone: nothing of the input."],
  ])("of %o: %s", (given, said) => {
    expect(describeSeen({ D: 1, mode: "zeros", ...given })).toBe(said);
  });
});

describe("the gradient of the input", () => {
  /**
   * Where the windows over the spread dy stand, counted out: a row of the (padded, where it is folded) input lies under tap k
   * of output o at `o S + k D`, less the padding. Positions are those of dy spread, whose element o is at `o S`.
   */
  function counted({ W, F, P, D, S, mode }: FitSettings, O: number) {
    const folded = mode !== "zeros" && P > 0;
    const needed = new Set<number>();
    for (let row = 0; row < W + (folded ? 2 * P : 0); row++) {
      for (let tap = 0; tap < F; tap++) needed.add(row + (folded ? 0 : P) - tap * D);
    }
    const [first, last] = [Math.min(...needed), Math.max(...needed)];
    // Zeros put around it, or rows cut off it where negative.
    return { begin: 0 - first, end: last - (O - 1) * S };
  }

  const side = (text: string, where: string): number => {
    const words = new RegExp(`(?:no zeros|(\\d+) zeros?|(one|\\d+) rows? and columns? less) ${where}`).exec(text);
    if (!words) return NaN;
    const [, zeros, less] = words as (string | undefined)[];
    if (less !== undefined) return less === "one" ? -1 : -Number(less);
    return zeros === undefined ? 0 : Number(zeros);
  };

  /** Zeros on both sides as the words have them. */
  function said(text: string) {
    const [, around] = /around them (\d+) zeros? on each side/.exec(text) ?? [];
    const [, cut] =
      /the outermost (one|\d+) rows? and columns? on each side, which met padding alone, cut off/.exec(text) ?? [];
    if (around) return { begin: Number(around), end: Number(around) };
    if (cut) return { begin: cut === "one" ? -1 : -Number(cut), end: cut === "one" ? -1 : -Number(cut) };
    if (text.includes("nothing around them")) return { begin: 0, end: 0 };
    return { begin: side(text, "above and left"), end: side(text, "below and right") };
  }

  test("says of each side what surrounds dy, or what is cut off it", () => {
    const seen = { zeros: 0, crops: 0, uneven: 0 };
    for (const { settings, problem } of everyLayer()) {
      const O = problem.output[2];
      const text = wordsFor(extentsOf(settings, O), "dx");
      const sides = counted(settings, O);
      expect(said(text), `${JSON.stringify(settings)}: ${text}`).toEqual(sides);
      if (sides.begin < 0) seen.crops++;
      else seen.zeros++;
      if (sides.begin !== sides.end) seen.uneven++;
      const [, formula] = /= (−?\d+)\)/.exec(text) ?? [];
      expect(Number(formula.replace("−", "-"))).toBe(sides.begin);
      expect(text.includes("S − 1")).toBe(settings.S > 1 && O > 1);
      expect(text).not.toMatch(/\b1 (zeros|rows|columns|elements)|\b[02-9] (zero|row|column|element)\b/);
    }
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(100);
  });

  test.each([
    [
      { W: 7, F: 1, S: 1, P: 2 },
      "the outermost 2 rows and columns on each side, which met padding alone, cut off (D(F − 1) − P = −2)",
    ],
    [
      { W: 8, F: 3, S: 2, P: 0 },
      "Between the elements of dy stand S − 1 = 1 zero, for the stride, and around them 2 zeros above and left (D(F − 1) − P = 2) and 3 zeros below and right, where the windows left one row and column over.",
    ],
  ])("of %o: %s", (given, words) => {
    const settings = { D: 1, mode: "zeros", ...given } as const;
    const O = problemOf(settings)?.output[2] ?? NaN;
    expect(wordsFor(extentsOf(settings, O), "dx")).toContain(words);
  });
});

describe("the gradient of the weights", () => {
  test("takes of the input what the windows reached, and says so", () => {
    for (const { settings, problem } of everyLayer()) {
      const { W, F, S, P, D } = settings;
      const O = problem.output[2];
      const layer = extentsOf(settings, O);
      const { begin, end } = sidesOfX(layer);
      // As many rows as dy, with its taps S apart, needs for F places, D apart.
      expect(W + begin + end).toBe((O - 1) * S + (F - 1) * D + 1);
      const [head] = headsOf(layer, "dw");
      const [, padded = "0"] = /, padded by (\d+)/.exec(head) ?? [];
      const [, atEnd, by = padded] = /at the end (cut|padded) by (\d+)/.exec(head) ?? [];
      expect([Number(padded), atEnd === "cut" ? -Number(by) : Number(by)], head).toEqual([begin, end]);
      const [, less] = (/less the last (one|\d+) rows? and columns?/.exec(wordsFor(layer, "dw")) ?? []) as (
        string | undefined
      )[];
      expect(less === undefined ? 0 : less === "one" ? 1 : Number(less)).toBe(P - end);
    }
  });
});

test("words know one from many", () => {
  const single = { W: 3, F: 1, S: 1, P: 0, D: 2, mode: "zeros", C: 1, K: 1, O: 3 } as const;
  expect(wordsFor(single, "forward")).toBe(
    "The filter slides over the input, 1 at a time. Where it stands, its weight is multiplied with what lies below, and the product is added to its bias: one number of the output.",
  );
  expect(headsOf(single, "forward")).toEqual(["Input x, 3 × 3 × 1", "Filter, 1 × 1 × 1", "Output y, 3 × 3 × 1"]);
  expect(wordsFor({ ...single, W: 1, O: 1 }, "dw")).toContain(
    "it has one tap a slice, and it has one place to stand at",
  );
});

test("results that differ are said to, and by how much", () => {
  const call = "engine.conv2dInputGradient";
  const check = (expected: number[], actual: number[]): string =>
    describeCheck(checkOf(call, Float32Array.from(expected), Float32Array.from(actual)));
  expect(check([1, 2], [1, 2])).toBe(`All 2 numbers of this convolution are those of ${call}.`);
  expect(check([1], [1])).toBe(`The number of this convolution is that of ${call}.`);
  expect(check([1, 2.5], [1, 2])).toBe(
    `1 of 2 numbers differs from ${call}, by at most 5.0e-1: fractions are rounded in another order.`,
  );
});
