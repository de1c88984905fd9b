/** Views, and tensors side by side: values, gradients, memory. */
import { concat, reshape, slice, split, Tape } from "webgpu-conv/nn";
import { createEngine } from "webgpu-conv";
import { describe, expect } from "vitest";
import { gpuTest } from "../../support/gpuTest.js";
import { checkGradients } from "../../support/nn/checkGradients.js";

describe("concat and split", () => {
  gpuTest("along any axis, and their gradients", async ({ bare: engine }) => {
    for (const axis of [0, 1, 2, -1]) {
      const shape = (extent: number): number[] =>
        [2, 3, 5].map((other, i) => (i === (axis < 0 ? 2 : axis) ? extent : other));
      await checkGradients(engine, {
        inputs: { a: { shape: shape(1) }, b: { shape: shape(4) }, c: { shape: shape(2) } },
        compute: ({ a, b, c }) => concat([a, b, c], axis),
      });
      await checkGradients(engine, {
        inputs: { x: { shape: shape(7) } },
        compute: ({ x }) => split(x, [1, 4, 2], axis),
      });
      await checkGradients(engine, { inputs: { x: { shape: shape(7) } }, compute: ({ x }) => slice(x, 1, 5, axis) });
    }
  });
});

describe("reshape", () => {
  gpuTest("shares memory, which goes with the last view", async ({ bare: engine }) => {
    const x = engine.tensor([1, 2, 3, 4, 5, 6], [2, 3]);
    const y = reshape(x, [3, -1]);
    expect(y.shape).toEqual([3, 2]);
    await engine.write(x, [6, 5, 4, 3, 2, 1]);
    x.dispose();
    expect([...(await y.data())]).toEqual([6, 5, 4, 3, 2, 1]);
    y.dispose();
  });

  gpuTest("gradients", async ({ bare: engine }) => {
    await checkGradients(engine, {
      inputs: { x: { shape: [2, 3, 4] }, w: { shape: [2, 3, 1, 1] } },
      compute: ({ x, w }, own) => own.conv2d(reshape(x, [2, 3, 2, 2]), w, { activation: "relu" }),
    });
  });
});

describe("convolutions on a tape", () => {
  gpuTest("layers, activations, residuals and transposed layers", async ({ bare: engine }) => {
    const inputs = {
      x: { shape: [2, 4, 5, 6] },
      w: { shape: [6, 4, 3, 3] },
      b: { shape: [6] },
      r: { shape: [2, 6, 3, 3] },
    };
    for (const activation of ["none", "relu", "sigmoid", "gelu", "silu"] as const) {
      await checkGradients(engine, {
        inputs,
        compute: ({ x, w, b, r }, own) => own.conv2d(x, w, { bias: b, residual: r, activation, stride: 2, padding: 1 }),
      });
    }
    await checkGradients(engine, {
      inputs: { x: { shape: [1, 4, 3, 3] }, w: { shape: [4, 3, 2, 2] }, b: { shape: [3] }, slope: { shape: [3] } },
      compute: ({ x, w, b, slope }, own) =>
        own.convTranspose2d(x, w, { bias: b, stride: 2, activation: { name: "prelu", slope } }),
    });
  });

  gpuTest("a tensor that is used twice gets the sum", async ({ bare: engine }) => {
    await checkGradients(engine, {
      inputs: { x: { shape: [1, 3, 4, 4] }, w: { shape: [3, 3, 3, 3] } },
      compute({ x, w }, own) {
        const once = own.conv2d(x, w, { padding: 1 });
        return concat([x, own.conv2d(once, w, { padding: 1, residual: x }), once]);
      },
    });
  });
});

describe("empty parts", () => {
  gpuTest("of a batch add nothing, and have empty gradients", async ({ bare: engine }) => {
    using cpu = await createEngine({ backend: "cpu" });
    for (const own of [engine, cpu]) {
      using none = own.tensor([], [0, 2]);
      using a = own.tensor([1, 2, 3, 4], [2, 2]);
      using tape = new Tape(own);
      using y = tape.run(() => concat([none, a, none, a], 0));
      expect([...(await y.data())]).toEqual([1, 2, 3, 4, 1, 2, 3, 4]);
      using upstream = own.tensor([1, 2, 3, 4, 5, 6, 7, 8], y.shape);
      const [da, dNone] = tape.gradients(y, [a, none], { upstream });
      expect([...(await da.data())]).toEqual([6, 8, 10, 12]);
      expect([dNone.shape, (await dNone.data()).length]).toEqual([[0, 2], 0]);
      da.dispose();
      dNone.dispose();
      using still = concat([none, none], 0);
      expect(still.shape).toEqual([0, 2]);
    }
  });

  gpuTest("parts are a list", ({ bare: engine }) => {
    using x = engine.tensor([1, 2, 3, 4], [2, 2]);
    expect(() => split(x, 1 as never)).toThrow(
      "extents is 1; expected a list of the parts' extents along axis 1: [1, ...]",
    );
  });
});

describe("a tape", () => {
  gpuTest("says what was not recorded", ({ bare: engine }) => {
    using x = engine.tensor([1, 2], [1, 2]);
    using other = engine.tensor([1], [1]);
    using tape = new Tape(engine);
    expect(() => tape.gradients(x, [other])).toThrow(/nothing is recorded/);
    const y = tape.run(() => concat([x, x], 1));
    expect(() => tape.gradients(y, [x])).toThrow(/shape \[1, 4\]; expected a single value, or its gradient/);
    using upstream = engine.tensor([1, 1, 1, 1], [1, 4]);
    expect(() => tape.gradients(y, [x, x], { upstream })).toThrow(/parameter 1 is parameter 0/);
    expect(() => tape.gradients(y, { other }, { upstream })).toThrow(/parameter other, of shape \[1\], was not used/);
    const [gradient] = tape.gradients(y, [x], { upstream });
    gradient.dispose();
    y.dispose();
  });
});
