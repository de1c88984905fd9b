/** Activations as a caller says them: defaults, and what is refused. */
import { ArgumentError } from "webgpu-conv";
import { forward, inputGradient, makeProblem } from "webgpu-conv/reference";
import { describe, expect, test } from "vitest";
import type { Activation } from "../../src/calls/options.js";
import { ACTIVATION_CODES, readActivation } from "../../src/problem/activation.js";
import { plainOperation } from "../../src/calls/calls.js";
import { keyOf } from "../../src/problem/operation.js";
import { activationConstants } from "../../src/solvers/shared/constants.js";

describe("an activation is read", () => {
  test.each([
    [undefined, { name: "none" }],
    ["relu", { name: "relu" }],
    ["leaky-relu", { name: "leaky-relu", negativeSlope: 0.01 }],
    [
      { name: "leaky-relu", negativeSlope: -2 },
      { name: "leaky-relu", negativeSlope: -2 },
    ],
    ["elu", { name: "elu", alpha: 1 }],
    ["softplus", { name: "softplus", beta: 1, threshold: 20 }],
    [
      { name: "softplus", beta: 2 },
      { name: "softplus", beta: 2, threshold: 20 },
    ],
    [
      { name: "clamp", min: -1 },
      { name: "clamp", min: -1, max: Infinity },
    ],
    [
      { name: "clamp", max: 3 },
      { name: "clamp", min: -Infinity, max: 3 },
    ],
    [{ name: "silu" }, { name: "silu" }],
  ] as [Activation | undefined, object][])("%j", (activation, spec) => {
    expect(readActivation(activation)).toEqual(spec);
    expect(readActivation(readActivation(activation) as Activation)).toEqual(spec);
  });

  const LISTED = `expected ${ACTIVATION_CODES.map((name) => JSON.stringify(name)).join(", ")}`;
  test.each([
    ["swish", `activation is "swish"; ${LISTED}: did you mean "silu"?`],
    ["hardtanh", `activation is "hardtanh"; ${LISTED}: did you mean "clamp"?`],
    [{ negativeSlope: 1 }, `activation is undefined; ${LISTED}`],
    [{ name: "relu", negativeSlope: 0.2 }, `unknown key of activation "relu", negativeSlope: expected any of name`],
    [{ name: "elu", beta: 1 }, `unknown key of activation "elu", beta: expected any of name, alpha`],
    [
      { name: "elu", alpha: Infinity },
      `activation "elu" has alpha Infinity; expected a finite number, within float32's range`,
    ],
    [
      { name: "elu", alpha: 1e39 },
      `activation "elu" has alpha 1e+39; expected a finite number, within float32's range`,
    ],
    [
      { name: "softplus", beta: "1" },
      `activation "softplus" has beta "1"; expected a finite number, within float32's range`,
    ],
    [{ name: "softplus", beta: 0 }, `activation "softplus" has beta 0; expected a number other than 0`],
    ["clamp", `activation "clamp" has neither min nor max; expected one of them, or both`],
    [{ name: "clamp", min: 2, max: 1 }, `activation "clamp" has min 2; expected at most max, 1`],
    [
      { name: "clamp", min: NaN, max: 1 },
      `activation "clamp" has min NaN; expected a finite number, within float32's range`,
    ],
    [
      { name: "clamp", min: null, max: 1 },
      `activation "clamp" has min null; expected a finite number, within float32's range`,
    ],
    [
      { name: "prelu", slope: null },
      `activation "prelu" has slope null; expected a tensor of one slope, or of one a channel`,
    ],
    ["prelu", `activation "prelu" has slope undefined; expected a tensor of one slope, or of one a channel`],
    [
      { name: "prelu", slope: 0.25 },
      `activation "prelu" has slope 0.25; expected a tensor of one slope, or of one a channel`,
    ],
  ])("%j is refused", (activation, message) => {
    expect(() => readActivation(activation as Activation)).toThrow(new ArgumentError(message));
  });
});

describe("parameters", () => {
  const problem = makeProblem(1, [1, 1, 4], [1, 1, 1]);
  const operation = (activation: Activation) => ({
    ...plainOperation("forward", problem, { dtype: "float32" }),
    activation: readActivation(activation),
  });

  test("tell operations apart", () => {
    const all: Activation[] = [
      "elu",
      { name: "elu", alpha: 2 },
      { name: "clamp", min: 0, max: 6 },
      { name: "clamp", min: 0 },
      { name: "softplus", threshold: 10 },
      "softplus",
    ];
    expect(new Set(all.map((activation) => keyOf(operation(activation)))).size).toBe(all.length);
  });

  test("an open end of a clamp is the largest number, for WGSL writes no infinity", () => {
    expect(activationConstants(operation({ name: "clamp", min: 1 }))).toEqual({
      ACTIVATION: ACTIVATION_CODES.indexOf("clamp"),
      FORMULA: true,
      FIRST_PARAMETER: 1,
      SECOND_PARAMETER: 3.4028234663852886e38,
    });
  });
});

test("the reference takes a prelu's slopes as numbers, in any layout and of a transposed convolution", () => {
  const last = makeProblem(1, [1, 2, 1], [2, 1, 1], { layout: "channels-last" });
  const activation = { name: "prelu", slope: [0.5, 0.25] } as const;
  expect([...forward(last, [-4, 8], [1, -1], { activation })]).toEqual([-2, 4, 8, -2]);
  const first = makeProblem(1, [1, 2, 2], [1, 2, 1]);
  expect([...inputGradient(first, [-4, 8], [1, -1], { activation })]).toEqual([-2, 8, 4, -2]);
});
