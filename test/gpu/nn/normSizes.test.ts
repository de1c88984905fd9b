/** Normalisations of sizes that are split among workgroups, of float16, with NaN; and what they refuse. */
import type { Tensor } from "webgpu-conv";
import { batchNorm, groupNorm, instanceNorm, layerNorm } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { gpuTest } from "../../support/gpuTest.js";
import { compareNorm as compare, type Norm } from "../../support/nn/compareNorm.js";

const batch =
  (layout: "channels-first" | "channels-last"): Norm =>
  (x, options) =>
    batchNorm(x, { ...options, training: true, layout });

describe("sizes that are split", () => {
  gpuTest("batchNorm", async ({ bare: engine }) => {
    await compare(engine, [3, 2, 90, 101], [2], batch("channels-first"));
    await compare(engine, [700, 3, 37], [3], batch("channels-first"));
    await compare(engine, [3, 50, 101, 5], [5], batch("channels-last"));
    await compare(engine, [2, 33, 17, 70], [70], batch("channels-last"));
  });

  gpuTest("groupNorm and instanceNorm", async ({ bare: engine }) => {
    await compare(engine, [2, 6, 70, 61], [6], (x, options) => groupNorm(x, 2, options));
    await compare(engine, [2, 60, 51, 12], [12], (x, options) =>
      groupNorm(x, 3, { ...options, layout: "channels-last" }),
    );
    await compare(engine, [300, 12, 3], [12], (x, options) => groupNorm(x, 4, options));
    await compare(engine, [1, 3, 130, 101], [3], (x, options) => instanceNorm(x, options));
  });

  gpuTest("layerNorm", async ({ bare: engine }) => {
    await compare(engine, [500, 33], [33], (x, options) => layerNorm(x, 33, options));
    await compare(engine, [7, 5000], [5000], (x, options) => layerNorm(x, 5000, options));
    await compare(engine, [1, 40_000], [40_000], (x, options) => layerNorm(x, 40_000, options), { tolerance: 4e-5 });
  });
});

describe("float16", () => {
  gpuTest("x and residual, with parameters in float32", async ({ bare: engine }) => {
    // Results are rounded to 11 bits, and the residual's gradient once more before dx is made from it.
    const half = { dtype: "float16", tolerance: 2 ** -9 } as const;
    await compare(engine, [3, 4, 7, 4], [4], batch("channels-first"), half);
    await compare(engine, [3, 5, 7, 3], [3], batch("channels-last"), half);
    await compare(engine, [2, 6, 35], [6], (x, options) => groupNorm(x, 3, options), half);
    await compare(engine, [5, 36], [36], (x, options) => layerNorm(x, 36, options), half);
  });
});

describe("NaN", () => {
  gpuTest("spoils its set, and no other", async ({ bare: engine }) => {
    using x = engine.tensor([1, NaN, 3, 4, 5, 7, 2, 8], [2, 2, 2]);
    using byChannel = batchNorm(x, { training: true, activation: "relu" });
    expect([...(await byChannel.data())].map(Number.isNaN)).toEqual([
      true,
      true,
      false,
      false,
      true,
      true,
      false,
      false,
    ]);
    using bySample = layerNorm(x, [2, 2], { activation: "relu" });
    expect([...(await bySample.data())].map(Number.isNaN)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});

describe("an empty batch", () => {
  gpuTest("is normalised by running statistics", async ({ bare: engine }) => {
    using x = engine.tensor([], [0, 2, 3]);
    using ones = engine.tensor([1, 1], [2]);
    using other = engine.tensor([1, 1], [2]);
    using y = batchNorm(x, { runningMean: ones, runningVar: other });
    using z = groupNorm(x, 2);
    expect([y.shape, z.shape]).toEqual([x.shape, x.shape]);
    expect((await y.data()).length).toBe(0);
  });
});

describe("errors", () => {
  gpuTest("say the rule and the values", ({ bare: engine }) => {
    using x = engine.tensor(new Float32Array(12), [2, 3, 2]);
    using one = engine.tensor([1, 2, 3], [1, 3]);
    using empty = engine.tensor([], [0, 3, 2]);
    using three = engine.tensor([1, 1, 1], [3]);
    using two = engine.tensor([1, 1], [2]);
    using half = engine.tensor([1, 1, 1], [3], { dtype: "float16" });
    const refuse = (call: () => Tensor, message: RegExp): void => {
      expect(call).toThrow(message);
    };
    refuse(() => batchNorm(one, { training: true }), /\[1, 3\]; expected more than 1 value per channel when training/);
    refuse(() => batchNorm(empty, { training: true }), /\[0, 3, 2\], an empty batch.*expected more than 1 value/);
    refuse(() => batchNorm(two), /x has shape \[2\]; expected at least two axes/);
    refuse(() => batchNorm(x), /runningMean and runningVar are absent; expected both, or training: true/);
    refuse(
      () => batchNorm(x, { training: true, runningMean: three }),
      /runningVar is absent; expected both or neither/,
    );
    refuse(() => batchNorm(x, { runningMean: three, runningVar: three }), /are the same tensor/);
    refuse(() => batchNorm(x, { training: true, weight: two }), /weight has shape \[2\]; expected \[3\]/);
    refuse(() => batchNorm(x, { training: true, bias: half }), /bias is float16; expected float32, whatever x is/);
    refuse(() => batchNorm(x, { training: true, residual: three }), /residual has shape \[3\]/);
    refuse(() => batchNorm(x, { training: true, momentum: 2 }), /momentum is 2; expected a number from 0 to 1/);
    refuse(() => batchNorm(x, { training: true, eps: -1 }), /eps is -1; expected a number of at least 0/);
    refuse(() => batchNorm(x, { training: 1 } as never), /training is 1; expected true or false/);
    refuse(() => batchNorm(x, { epsilon: 1 } as never), /unknown option epsilon/);
    refuse(
      () => batchNorm(x, { training: true, activation: { name: "prelu", slope: three } } as never),
      /"prelu"; expected one without slopes: engine.activate/,
    );
    refuse(() => groupNorm(x, 2), /groups is 2; expected a divisor of the 3 channels/);
    refuse(() => groupNorm(one, 3), /3 groups; expected more than 1 value per channel/);
    refuse(() => instanceNorm(one), /at least three axes/);
    refuse(
      () => layerNorm(x, [3, 3]),
      /normalizedShape is \[3, 3\]; expected the last extents of x, of shape \[2, 3, 2\]/,
    );
    refuse(() => layerNorm(x, []), /normalizedShape is \[\]/);
  });
});
