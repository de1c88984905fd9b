/** Options are objects of known keys: what is misspelt, or of another library, is refused, and what was meant is named. */
import { describe, expect, test } from "vitest";
import { ArgumentError } from "webgpu-conv";
import { optionKeys, requireOptions } from "../../src/base/optionKeys.js";
import { readBackwardSolvers } from "../../src/calls/backwardSolvers.js";
import { FORWARD_OPTIONS, GRADIENT_OPTIONS, TRANSPOSED_OPTIONS } from "../../src/calls/options.js";
import { readSolver } from "../../src/planning/choice.js";
import { nearest } from "../../src/base/spelling.js";

class Layer {
  readonly stride: number;
  constructor(stride: number) {
    this.stride = stride;
  }
}
class Nothing {
  readonly #hidden = 1;
  reveal(): number {
    return this.#hidden;
  }
}
class Computed {
  readonly #doubled: number;
  constructor(stride: number) {
    this.#doubled = 2 * stride;
  }
  get stride(): number {
    return this.#doubled / 2;
  }
}

describe("what options may be", () => {
  test.each<[string, object]>([
    ["an empty object", {}],
    ["known keys", { stride: 2, padding: 1 }],
    ["an unknown key that is undefined", { stride: 2, strides: undefined }],
    ["an object without a prototype", Object.assign(Object.create(null), { stride: 2 })],
    ["an object that inherits", Object.create({ stride: 2 })],
    ["an instance with options for fields", new Layer(2)],
    ["an instance with options for accessors", new Computed(2)],
    ["a frozen object", Object.freeze({ groups: 2 })],
    ["a key that is a symbol", { [Symbol("own")]: 1 }],
  ])("%s", (_, options) => expect(() => requireOptions(options, FORWARD_OPTIONS)).not.toThrow());

  test.each<[unknown, string]>([
    [null, "options is null; expected an object with any of stride, padding, dilation, groups"],
    [2, "options is 2; expected an object: { stride: 2 }"],
    ["same", 'options is "same"; expected an object with any of stride'],
    [true, "options is true; expected an object with any of stride"],
    [3n, "options is 3n; expected an object with any of stride"],
    [Symbol("s"), "options is Symbol(s); expected an object"],
    [[], "options is []; expected an object"],
    [[1, 2], "options is [1, 2]; expected an object"],
    [new Float32Array(1), "options is Float32Array; expected an object"],
    [new Map([["stride", 2]]), "options is Map; expected an object"],
    [new Set(), "options is Set; expected an object"],
    [new Date(0), "options is Date; expected an object"],
    [Promise.resolve({}), "options is Promise; expected an object"],
    [() => ({}), "options is function ; expected an object"],
    [new Nothing(), "options is Nothing; expected an object"],
  ])("not %o", (options, message) => {
    expect(() => requireOptions(options, FORWARD_OPTIONS)).toThrow(ArgumentError);
    expect(() => requireOptions(options, FORWARD_OPTIONS)).toThrow(message);
  });

  test("inherited keys count", () => {
    expect(() => requireOptions(Object.create({ strides: 2 }), FORWARD_OPTIONS)).toThrow("unknown option strides");
  });

  test("a getter of the caller's that throws passes through", () => {
    const own = new Error("the caller's own");
    const options = {
      get strides(): number {
        throw own;
      },
    };
    expect(() => requireOptions(options, FORWARD_OPTIONS)).toThrow(own);
  });
});

describe("what was meant", () => {
  test.each<[string, string]>([
    ["strides", "did you mean stride?"],
    ["Stride", "did you mean stride?"],
    ["pads", "did you mean padding?"],
    ["pad", "did you mean padding?"],
    ["pading", "did you mean padding?"],
    ["auto_pad", "did you mean padding?"],
    ["dilations", "did you mean dilation?"],
    ["dilation_rate", "did you mean dilation?"],
    ["rate", "did you mean dilation?"],
    ["group", "did you mean groups?"],
    ["feature_group_count", "did you mean groups?"],
    ["dataFormat", "did you mean layout?"],
    ["data_format", "did you mean layout?"],
    ["inputLayout", "did you mean layout?"],
    ["filterLayout", "did you mean weightLayout?"],
    ["padding_mode", "did you mean paddingMode?"],
    ["useBias", "did you mean bias?"],
    ["biases", "did you mean bias?"],
    ["activation_", "did you mean activation?"],
    ["kernel_size", "the weight's shape tells it"],
    ["kernelSize", "the weight's shape tells it"],
    ["filters", "the weight's shape tells it"],
    ["in_channels", "the weight's shape tells it"],
    ["output", "it belongs to the gradients"],
    ["outputPadding", "it belongs to transposed convolutions"],
    ["zebra", "expected any of stride, padding, dilation, groups"],
    ["__proto__x", "expected any of stride"],
    ["toString", "expected any of stride"],
    ["constructor", "expected any of stride"],
  ])("%s: %s", (key, remedy) => {
    const message = `unknown option ${key}: ${remedy}`;
    expect(() => requireOptions({ [key]: 1 }, FORWARD_OPTIONS)).toThrow(message);
  });

  test.each<[string, string, string]>([
    ["empty", "", '""'],
    ["of two words", "a b", '"a b"'],
    ["a line's end", "\n", '"\\n"'],
    ["of other letters", "日本", '"日本"'],
    ["long", "x".repeat(1e5), `"${"x".repeat(76)}...`],
  ])("a key that is no word is quoted: %s", (_, key, quoted) => {
    expect(() => requireOptions({ [key]: 1 }, FORWARD_OPTIONS)).toThrow(`unknown option ${quoted}: expected any of`);
  });

  test("bias and residual belong to the forward pass, output to gradients", () => {
    for (const key of ["bias", "residual"]) {
      expect(() => requireOptions({ [key]: 1 }, GRADIENT_OPTIONS)).toThrow(`${key}: it belongs to the forward pass`);
    }
    expect(() => requireOptions({ output_padding: 1 }, TRANSPOSED_OPTIONS)).toThrow("did you mean outputPadding?");
  });

  test("keys of an option that is itself an object are called so", () => {
    const known = optionKeys<{ name: string }>({ name: 1 });
    expect(() => requireOptions({ nam: 1 }, known, "activation")).toThrow(
      "unknown key of activation, nam: did you mean name?",
    );
  });

  test.each<[string, readonly string[], string | undefined]>([
    ["ReLU", ["none", "relu", "relu6"], "relu"],
    ["RELU6", ["none", "relu", "relu6"], "relu6"],
    ["leaky_relu", ["relu", "leaky-relu"], "leaky-relu"],
    ["Hardswish", ["hard-swish"], "hard-swish"],
    ["linear", ["none", "relu"], "none"],
    ["SAME_LOWER", ["valid", "same", "same-lower"], "same-lower"],
    ["half", ["float32", "float16"], "float16"],
    ["float", ["float32", "float16"], "float32"],
    ["smae", ["valid", "same"], "same"],
    ["", ["valid", "same"], undefined],
    ["zebra", ["valid", "same"], undefined],
    ["x".repeat(1e6), ["valid", "same"], undefined],
  ])("the nearest to %s", (given, words, expected) => expect(nearest(given, words)).toBe(expected));
});

describe("what asks for a solver", () => {
  test.each([undefined, "direct", { name: "direct" }, { name: "direct", config: { threads: 64 } }])("%o", (choice) => {
    expect(readSolver(choice)).toBe(choice);
  });

  test.each<[unknown, string]>([
    [null, "solver is null; expected a solver's name, or { name, config }"],
    [5, "solver is 5; expected a solver's name"],
    [["direct"], 'solver is ["direct"]'],
    [{}, "solver has the name undefined"],
    [{ name: 5 }, "solver has the name 5"],
    [{ name: "direct", configs: {} }, "unknown key of solver, configs: did you mean config?"],
    [{ name: "direct", config: 5 }, "solver has the config 5"],
    [{ name: "direct", config: null }, "solver has the config null"],
    [{ name: "direct", config: [1] }, "solver has the config [1]"],
    [{ name: "direct", config: { threads: 64n } }, "solver has the config Object"],
    [{ name: "direct", config: { threads: "64" } }, "expected an object of numbers"],
  ])("not %o", (choice, message) => {
    expect(() => readSolver(choice as string)).toThrow(ArgumentError);
    expect(() => readSolver(choice as string)).toThrow(message);
  });

  test("one for both kernels, or one for each", () => {
    const tile = { name: "direct", config: {} };
    expect(readBackwardSolvers(undefined)).toEqual({});
    expect(readBackwardSolvers("direct")).toEqual({ input: "direct", weight: "direct" });
    expect(readBackwardSolvers(tile)).toEqual({ input: tile, weight: tile });
    expect(readBackwardSolvers({ weight: tile })).toEqual({ input: undefined, weight: tile });
    expect(() => readBackwardSolvers({ weights: tile } as object)).toThrow("weights: did you mean weight?");
    expect(() => readBackwardSolvers({ input: 5 } as object)).toThrow("solver.input is 5");
  });
});
