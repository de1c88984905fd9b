/** How values are written into messages, and that every error is one of ours. */
import { describe, expect, test } from "vitest";
import { ArgumentError, ConvError, DeviceError, LimitError, SolverError, TensorError } from "webgpu-conv";
import { require, show } from "../../src/base/errors.js";

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
    [12n, "12n"],
    [new Array(2), "[undefined, undefined]"],
    [[[[[[1]]]]], "[[[[[...]]]]]"],
    [
      function convolve() {
        return 0;
      },
      "function convolve",
    ],
  ])("%o is written %s", (value, text) => expect(show(value)).toBe(text));

  test("cuts what is longer than 80 characters", () => {
    const text = show("x".repeat(200));
    expect(text).toHaveLength(80);
    expect(text.endsWith("x...")).toBe(true);
    expect(show("x".repeat(78))).toHaveLength(80);
    expect(show("x".repeat(78)).endsWith('x"')).toBe(true);
  });
});

describe("show, of what would rather not be shown", () => {
  const thrower = (): never => {
    throw new Error("not for you");
  };
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  let deep: unknown = 1;
  for (let i = 0; i < 20_000; i++) deep = [deep];
  const revoked = Proxy.revocable([], {});
  revoked.revoke();
  test.each<[string, unknown, string]>([
    ["a list that holds itself", cyclic, "[[[[[...]]]]]"],
    ["20,000 lists", deep, "[[[[[...]]]]]"],
    ["a million numbers", new Array(1e6).fill(7), `[${"7, ".repeat(25)}7...`],
    [
      "a getter that throws",
      {
        get constructor() {
          return thrower();
        },
      },
      "an object that cannot be shown",
    ],
    [
      "one in a list",
      [
        1,
        {
          get constructor() {
            return thrower();
          },
        },
      ],
      "[1, an object that cannot be shown]",
    ],
    ["a proxy that throws", new Proxy({}, { get: thrower }), "an object that cannot be shown"],
    ["a proxy that is revoked", revoked.proxy, "an object that cannot be shown"],
    ["a text of its own that throws", { toString: thrower }, "Object"],
    ["a name that is no text", Object.assign(() => 0, { prototype: null }), "function "],
  ])("%s", (_, value, text) => expect(show(value)).toBe(text));
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
