/** What a tape keeps of what is disposed of, and what a checkpoint does once though it computes twice. */
import { add, batchNorm, checkpoint, differentiable, mul, reshape, Tape } from "webgpu-conv/nn";
import type { Tensor } from "webgpu-conv";
import { describe, expect } from "vitest";
import { gpuTest } from "../../support/gpuTest.js";
import { checkGradients } from "../../support/nn/checkGradients.js";

describe("a tensor that is disposed of on a tape", () => {
  gpuTest("is still there for gradients, and goes with them", async ({ bare: engine }) => {
    await checkGradients(engine, {
      inputs: { a: { shape: [2, 3] }, b: { shape: [2, 3] } },
      compute({ a, b }) {
        using product = mul(a, b);
        using view = reshape(product, [6]);
        using square = mul(view, view);
        return add(square, reshape(a, [6]));
      },
    });
  });

  gpuTest("is not to be used again, there or elsewhere", ({ bare: engine }) => {
    using x = engine.tensor([1, 2], [1, 2]);
    using tape = new Tape(engine);
    const before = engine.memory().liveTensors;
    let inside: Tensor | undefined;
    const y = tape.run(() => {
      inside = mul(x, x);
      const square = mul(inside, inside);
      inside.dispose();
      expect(inside.disposed).toBe(true);
      expect(() => mul(square, inside ?? square)).toThrow(/was disposed; expected a live tensor/);
      return square;
    });
    expect(() => mul(x, inside ?? x)).toThrow(/was disposed; expected a live tensor/);
    using upstream = engine.tensor([1, 1], [1, 2]);
    const { x: gradient } = tape.gradients(y, { x }, { upstream });
    gradient.dispose();
    y.dispose();
    expect(engine.memory().liveTensors - before).toBe(1);
  });

  gpuTest("gives its memory back where gradients are never asked for, or fail", ({ bare: engine }) => {
    using x = engine.tensor([1, 2], [1, 2]);
    using upstream = engine.tensor([1, 1], [1, 2]);
    const before = engine.memory().liveTensors;
    const tape = new Tape(engine);
    for (let run = 0; run < 3; run++) tape.run(() => mul(mul(x, x), x)).dispose();
    tape.dispose();
    expect(engine.memory().liveTensors).toBe(before);
    const dead = engine.tensor([3, 4], [1, 2]);
    const y = tape.run(() => mul(x, dead));
    y.dispose();
    dead.dispose();
    const { x: gradient } = tape.gradients(y, { x }, { upstream });
    gradient.dispose();
    expect(engine.memory().liveTensors).toBe(before);
  });
});

describe("gradients that throw", () => {
  gpuTest("within a checkpoint, or outside, leave nothing behind", ({ bare: engine }) => {
    using x = engine.tensor([1, 2], [1, 2]);
    using upstream = engine.tensor([1, 1], [1, 2]);
    const failing = (input: Tensor): Tensor => {
      const square = mul(mul(input, input), input);
      return mul(
        differentiable({
          name: "failing",
          inputs: [square],
          forward: (inner) => mul(inner, 2),
          backward: () => {
            throw new RangeError("mine");
          },
        }),
        x,
      );
    };
    const before = engine.memory().liveTensors;
    for (const compute of [failing, (input: Tensor) => checkpoint(failing, input)]) {
      using tape = new Tape(engine);
      using y = tape.run(() => compute(x));
      expect(() => tape.gradients(y, { x }, { upstream })).toThrow("mine");
      expect(engine.memory().liveTensors - before).toBe(1);
    }
    expect(engine.memory().liveTensors).toBe(before);
  });

  gpuTest("say what is wrong with what they are asked of", ({ bare: engine }) => {
    using x = engine.tensor([1, 2], [1, 2]);
    using upstream = engine.tensor([1, 1], [1, 2]);
    using tape = new Tape(engine);
    using y = tape.run(() => {
      const square = mul(x, x);
      expect(() => tape.gradients(square, { x })).toThrow(/called while a tape records; expected it after run/);
      return square;
    });
    for (const [parameters, shown] of [
      [undefined, "undefined"],
      [null, "null"],
      [3, "3"],
      [x, "Tensor"],
    ] as const) {
      expect(() => tape.gradients(y, parameters as never)).toThrow(
        `parameters is ${shown}; expected tensors in a list, or by name`,
      );
    }
    expect(() => tape.gradients(y, { x }, { upstreem: upstream } as never)).toThrow(/did you mean upstream\?/);
    expect(() => tape.gradients(y, { x }, upstream as never)).toThrow(/an upstream goes into options: \{ upstream \}/);
    const { x: gradient } = tape.gradients(y, { x }, { upstream });
    gradient.dispose();
  });

  gpuTest("of an operation of one's own name it, and its gradient", ({ bare: engine }) => {
    using x = engine.tensor([1, 2], [1, 2]);
    using half = engine.tensor([1, 2], [1, 2], { dtype: "float16" });
    using wrong = engine.tensor([1, 2, 3], [3]);
    using upstream = engine.tensor([1, 1], [1, 2]);
    const gradientsOf = (backward: () => unknown): void => {
      using tape = new Tape(engine);
      using y = tape.run(() => {
        return differentiable({
          name: "own",
          inputs: [x],
          forward: (inner) => mul(inner, 2),
          backward: backward as never,
        });
      });
      tape.gradients(y, { x }, { upstream });
    };
    for (const [gradients, message] of [
      [[wrong], /gradient 0 of own has shape \[3\].*\[1, 2\]/],
      [[half], /gradient 0 of own is float16; expected float32, as its input/],
      [[1], /gradient 0 of own is 1; expected a tensor/],
      [[undefined, x], /backward of own returned .*; expected a list of gradients, one for each of 1 inputs or fewer/],
      [undefined, /backward of own returned undefined; expected a list of gradients/],
    ] as const) {
      expect(() => gradientsOf(() => gradients)).toThrow(message);
    }
    const parts = { name: "own", inputs: [x], forward: () => x, backward: () => [] };
    expect(() => differentiable({ ...parts, forward: undefined as never })).toThrow(
      /forward is undefined; expected a fun/,
    );
    expect(() => differentiable({ ...parts, inputs: undefined as never })).toThrow(
      /inputs is undefined; expected at least/,
    );
    expect(() => differentiable({ ...parts, name: 3 as never })).toThrow(/name is 3; expected text/);
    expect(() => differentiable({ ...parts, forward: () => undefined as never })).toThrow(
      /the result of own is undefined/,
    );
  });
});

describe("batch norm in a checkpoint", () => {
  gpuTest("updates its running statistics once", async ({ bare: engine }) => {
    using x = engine.tensor([1, 2, 3, 6], [4, 1]);
    using upstream = engine.tensor([1, 2, 3, 4], [4, 1]);
    const means: number[] = [];
    for (const within of [false, true]) {
      using runningMean = engine.tensor([0], [1]);
      using runningVar = engine.tensor([1], [1]);
      using tape = new Tape(engine);
      const norm = (input: Tensor): Tensor => batchNorm(input, { runningMean, runningVar, training: true });
      using y = tape.run(() => (within ? checkpoint(norm, x) : norm(x)));
      const [gradient] = tape.gradients(y, [x], { upstream });
      gradient.dispose();
      means.push((await runningMean.data())[0]);
    }
    // 0.1 of the mean, 3.
    expect(means.map((mean) => Math.round(1e6 * mean) / 1e6)).toEqual([0.3, 0.3]);
  });
});

describe("an operation that changes its operands", () => {
  gpuTest("refuses those that share memory", ({ bare: engine }) => {
    using x = engine.tensor([1, 2, 3, 6], [4, 1]);
    using runningMean = engine.tensor([0], [1]);
    using runningVar = reshape(runningMean, [1]);
    expect(() => batchNorm(x, { runningMean, runningVar, training: true })).toThrow(
      /share memory; expected tensors apart/,
    );
  });
});
