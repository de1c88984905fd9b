/** The evaluator of a shader's integer constants. */
import { describe, expect, test } from "vitest";
import { ConvError } from "../../src/base/errors.js";
import { evaluateInteger, integerConstants } from "../../src/kernels/constants.js";

const NAMES: Readonly<Record<string, number>> = { ROWS: 4, TILE_2: 32 };
const evaluate = (text: string): number => evaluateInteger(text, (name) => NAMES[name]);

describe("expressions", () => {
  test.each([
    ["7", 7],
    ["7u", 7],
    [" ROWS ", 4],
    ["2 + 3 * 4", 14],
    ["(2 + 3) * 4", 20],
    ["10 - 3 - 2", 5],
    ["100u / 7u / 2u", 7],
    ["17 % 5 * 2", 4],
    ["2 * (ROWS + (TILE_2 - 1u)) / 3", 23],
    ["((ROWS))", 4],
    ["1 - 8 / 3", -1],
  ])("%s is %d", (text, value) => expect(evaluate(text)).toBe(value));

  test("division cuts towards zero, as WGSL's does", () => {
    expect(evaluate("(1 - 8) / 2")).toBe(-3);
    expect(evaluate("(1 - 8) % 4")).toBe(-3);
  });

  test.each(["ROWS << 1u", "a.b", "1.5", "max(1, 2)", "x[0]", "ROWS == 4"])("%s throws", (text) => {
    expect(() => evaluate(text)).toThrow(ConvError);
  });

  test.each(["0x10u", "1 2", "(1 + 2", "1 + 2)", "1 +", ""])("%o, which is no expression it knows, throws", (text) => {
    expect(() => evaluate(text)).toThrow(ConvError);
  });
});

describe("a shader's constants", () => {
  const code = `
const AREA: u32 = ROWS * COLUMNS;
const ROWS: u32 = 4u;
const COLUMNS: u32 = 8u; // @specialize
const DEPTH: i32 = 3;
const SCALE: f32 = 1.0;
  const INNER: u32 = 5u;
`;

  test("are found by name, whatever their order", () => {
    const value = integerConstants(code);
    expect(["AREA", "ROWS", "COLUMNS", "DEPTH"].map(value)).toEqual([32, 4, 8, 3]);
    expect(value("AREA")).toBe(32);
  });

  test.each(["SCALE", "INNER", "NOWHERE"])("%s, which is not an integer of the file's own, throws", (name) => {
    expect(() => integerConstants(code)(name)).toThrow(
      new ConvError(`the shader has no integer constant named ${name}`),
    );
  });
});
