/** How values are written into messages, and that every error is one of ours. */
import { describe, expect, test } from "vitest";
import { ArgumentError, ConvError, DeviceError, LimitError, SolverError, TensorError } from "webgpu-conv";
import { require, show } from "../../src/errors.js";

describe("show", () => {
  test.each<[unknown, string]>([
    [3, "3"],
    [-0.5, "-0.5"],
    [NaN, "NaN"],
    [true, "true"],
    [undefined, "undefined"],
    [null, "null"],
    ["same", '"same"'],
    ['say "x"\n', '"say \\"x\\"\\n"'],
    [[1, [2, "a"], []], '[1, [2, "a"], []]'],
    [{ a: 1 }, "Object"],
    [new Map(), "Map"],
    [new Float32Array(2), "Float32Array"],
    [Object.create(null), "object"],
    [Symbol("s"), "Symbol(s)"],
    [12n, "12"],
  ])("%o is written %s", (value, text) => expect(show(value)).toBe(text));

  test("cuts what is longer than 80 characters", () => {
    const text = show("x".repeat(200));
    expect(text).toHaveLength(80);
    expect(text.endsWith("x...")).toBe(true);
    expect(show("x".repeat(78))).toHaveLength(80);
    expect(show("x".repeat(78)).endsWith('x"')).toBe(true);
  });
});

test("a rule that holds builds no message", () => {
  require(true, () => {
    throw new Error("the message was built");
  });
});

test("a rule that does not hold throws an ArgumentError with the message", () => {
  expect(() => require(false, () => "rule and values")).toThrow(new ArgumentError("rule and values"));
});

test.each([ArgumentError, DeviceError, LimitError, SolverError, TensorError])(
  "%o is a ConvError with its own name",
  (type) => {
    const cause = new Error("why");
    const error = new type("what", { cause });
    expect(error).toBeInstanceOf(ConvError);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: type.name, message: "what", cause });
    expect(String(error)).toBe(`${type.name}: what`);
  },
);
