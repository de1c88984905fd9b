/** The reference that trials carry gives what the whole reference gives. */
import { makeProblem } from "webgpu-conv/reference";
import { describe, expect, test } from "vitest";
import { readActivation } from "../../../src/problem/activation.js";
import { plainOperation } from "../../../src/calls/calls.js";
import { CpuBackend } from "../../../src/cpu/cpuBackend.js";
import { type ConvOperation, DIRECTIONS, operandRoles, shapeOfRole } from "../../../src/problem/operation.js";
import { makeUnsharedProblem } from "../../../src/problem/unshared.js";
import { expectedOf } from "../../../src/vetting/expected.js";
import { integers } from "../../../src/vetting/integers.js";
import { Random } from "../../support/data.js";
import { randomLayer } from "../../support/randomSpace.js";

/** What a layer of that seed does in each direction, with all that may be fused into it. */
function operationsOf(seed: number): ConvOperation[] {
  const random = new Random(seed);
  let layer = randomLayer(random);
  while (layer.transposed || layer.input.length !== layer.weight.length) layer = randomLayer(random);
  const shared = makeProblem(layer.rank, layer.input, layer.weight, layer.options);
  const output = shared.output.slice(3 - shared.rank);
  const options = { ...layer.options };
  delete (options as { weightLayout?: unknown }).weightLayout;
  const dimensions = [shared.outChannels, shared.inChannelsPerGroup, ...shared.kernel.slice(3 - shared.rank)];
  const isUnshared = random.pick([true, false, false]);
  const problem = isUnshared
    ? makeUnsharedProblem(layer.rank, layer.input, [...output, ...dimensions], options)
    : shared;
  const channels = shared.outChannels;
  const ones = new Array<number>(shared.rank).fill(1);
  const { layout } = shared;
  const pointwise = makeProblem(shared.rank, shared.outputShape, [channels, 1, ...ones], { layout, groups: channels });
  return DIRECTIONS.map((direction) => {
    const isGradient = direction.endsWith("Gradient") && direction !== "inputGradient";
    const isPointwise = direction.startsWith("activation") || direction === "slopeGradient";
    const slope = new Float32Array(channels);
    const given = random.pick(["none", "relu", "gelu", { name: "prelu", slope } as const] as const);
    const isActive = direction === "forward" || direction === "activationGradient";
    return {
      ...plainOperation(direction, isPointwise ? pointwise : problem, { dtype: "float32" }),
      bias:
        !isPointwise &&
        direction !== "biasGradient" &&
        !(isUnshared && direction !== "forward") &&
        random.pick([true, false]),
      residual: !isGradient && !isPointwise && !isUnshared && random.pick([true, false]),
      activation: readActivation(direction === "slopeGradient" ? { name: "prelu", slope } : isActive ? given : "none"),
      masked: direction.endsWith("Gradient") && !isPointwise && random.pick([true, false]),
    };
  });
}

describe("what a trial expects", () => {
  for (let seed = 1; seed <= 60; seed++) {
    test(`is what the reference gives, seed ${String(seed)}`, async () => {
      for (const operation of operationsOf(seed)) {
        const roles = operandRoles(operation);
        const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
        const inputs = Object.fromEntries(
          roles.map((role, i) => [role, integers(sizeOf(shapeOfRole(operation, role)), i)] as const),
        );
        const backend = new CpuBackend();
        const storages = Object.fromEntries(
          Object.entries(inputs).map(([role, values]) => [role, backend.upload(values, [values.length], "float32")]),
        );
        const results = backend.run(operation, storages, undefined);
        const expected = await expectedOf(operation, inputs);
        expect(expected.length).toBe(results.length);
        for (const [i, result] of results.entries()) {
          const values = await backend.read(result);
          expect(Array.from(expected[i], Math.fround), operation.direction).toEqual([...values]);
        }
      }
    });
  }

  test.each(["forward", "inputGradient", "weightGradient"] as const)(
    "leaves channels out of a large %s",
    async (direction) => {
      const problem = makeProblem(2, [1, 64, 24, 24], [96, 64, 3, 3], { padding: 1 });
      const operation = plainOperation(direction, problem, { dtype: "float32" });
      const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
      const inputs = Object.fromEntries(
        operandRoles(operation).map((role, i) => [role, integers(sizeOf(shapeOfRole(operation, role)), i)] as const),
      );
      const backend = new CpuBackend();
      const storages = Object.fromEntries(
        Object.entries(inputs).map(([role, values]) => [role, backend.upload(values, [values.length], "float32")]),
      );
      const [result] = backend.run(operation, storages, undefined);
      const values = await backend.read(result);
      const [expected] = await expectedOf(operation, inputs);
      const wrong = expected.filter((value, i) => !Number.isNaN(value) && value !== values[i]);
      expect(wrong.length).toBe(0);
      const computed = expected.filter((value) => !Number.isNaN(value)).length;
      expect(computed).toBeGreaterThan(expected.length / 40);
      expect(computed).toBeLessThan(expected.length);
      expect(Number.isNaN(expected.at(-1))).toBe(false);
    },
  );
});
