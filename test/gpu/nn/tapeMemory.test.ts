/** What a tape keeps of what is disposed of, and what a checkpoint does once though it computes twice. */
import { add, batchNorm, checkpoint, mul, reshape, Tape } from "webgpu-conv/nn";
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
