/** Dropout: bits, gradients, steps of a compiled sequence, checkpoints. */
import { createEngine, type Tensor } from "webgpu-conv";
import { advanceDropout, checkpoint, dropout, dropoutState, mul, philox, Random, Tape } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { gpuTest } from "../../support/gpuTest.js";
import { checkGradients } from "../../support/nn/checkGradients.js";

const ones = (count: number): Float32Array => new Float32Array(count).fill(1);

/** What the documentation says of a mask. */
function expectedMask(count: number, p: number, seed: number, stream: readonly [number, number]): number[] {
  const random = new Random(seed, stream);
  return Array.from({ length: count }, () => (random.word() < Math.round(p * 2 ** 32) ? 0 : Math.fround(1 / (1 - p))));
}

describe("dropout", () => {
  gpuTest("drops by the words of Random, whatever seed, step and draw", async ({ bare: engine }) => {
    const count = 1031;
    using x = engine.tensor(ones(count), [count]);
    for (const [seed, step, draw, p] of [
      [0, 0, 0, 0.5],
      [2 ** 53 - 1, 2 ** 32 - 1, 2 ** 32 - 1, 0.1],
      [123_456_789_012, 65_535, 7, 0.9],
    ] as const) {
      using state = dropoutState(engine, seed, step);
      using y = dropout(x, { p, state, draw });
      expect([...(await y.data())]).toEqual(expectedMask(count, p, seed, [draw, step]));
    }
    // A known answer of the reference implementation, of counter and key 0.
    expect(philox([0, 0, 0, 0], [0, 0])).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  });

  gpuTest("values and gradients; the same again without training", async ({ bare: engine }) => {
    const state = { shape: [6], values: [5, 0, 0, 0, 3, 0], isConstant: true };
    await checkGradients(engine, {
      inputs: { x: { shape: [2, 3, 5] }, state },
      compute: ({ x, state }) => [
        mul(dropout(x, { p: 0.3, state, draw: 4 }), dropout(x, { p: 0.3, state, draw: 5 })),
        dropout(x, { training: false }),
        dropout(x, { p: 0 }),
      ],
    });
  });

  gpuTest("of float16, with NaN, on the CPU", async ({ bare: engine }) => {
    using cpu = await createEngine({ backend: "cpu" });
    for (const own of [engine, cpu]) {
      using state = dropoutState(own, 9);
      using x = own.tensor([1, NaN, 3, NaN, 5, NaN, 7, NaN], [2, 4], { dtype: "float16" });
      using y = dropout(x, { state });
      const mask = expectedMask(8, 0.5, 9, [0, 0]);
      expect([...(await y.data())]).toEqual([1, NaN, 3, NaN, 5, NaN, 7, NaN].map((value, i) => value * mask[i]));
    }
  });

  gpuTest("draws anew at each run of a compiled step, forward and backward alike", async ({ bare: engine }) => {
    const count = 300;
    using x = engine.tensor(ones(count), [count]);
    using state = dropoutState(engine, 42, 65_534);
    using compiled = await engine.compile(() => {
      using tape = new Tape(engine);
      const y = tape.run(() => dropout(dropout(x, { p: 0.25, state }), { state }));
      const gradients = tape.gradients(y, { dx: x }, { upstream: x });
      advanceDropout(state);
      return { y, ...gradients };
    });
    const { y, dx } = compiled.result;
    for (let run = 0; run < 4; run++) {
      compiled.run();
      const step = 65_534 + run;
      const second = expectedMask(count, 0.5, 42, [1, step]);
      const expected = expectedMask(count, 0.25, 42, [0, step]).map((value, i) => Math.fround(value * second[i]));
      expect([...(await y.data())]).toEqual(expected);
      expect([...(await dx.data())]).toEqual(expected);
    }
    expect([...(await state.data())]).toEqual([42, 0, 0, 0, 2, 1]);
    y.dispose();
    dx.dispose();
  });

  gpuTest("drops the same when a checkpoint computes a segment once more", async ({ bare: engine }) => {
    using x = engine.tensor(ones(64), [64]);
    using state = dropoutState(engine, 1);
    const layer = (input: Tensor): Tensor => dropout(input, { state });
    const gradients = await Promise.all(
      [false, true].map(async (again) => {
        using tape = new Tape(engine);
        using y = tape.run(() =>
          layer(again ? checkpoint((input) => mul(layer(input), layer(input)), x) : mul(layer(x), layer(x))),
        );
        const [dx] = tape.gradients(y, [x], { upstream: x });
        const values = [...(await y.data()), ...(await dx.data())];
        dx.dispose();
        return values;
      }),
    );
    expect(gradients[1]).toEqual(gradients[0]);
    expect(gradients[0].some((value) => value > 0)).toBe(true);
  });

  gpuTest("errors", ({ bare: engine }) => {
    using x = engine.tensor([1, 2], [2]);
    using state = dropoutState(engine, 1);
    expect(() => dropout(x)).toThrow("dropout has no state; expected what dropoutState(engine, seed) made");
    expect(() => dropout(x, { p: 1, state })).toThrow("p is 1; expected a number from 0 to below 1");
    expect(() => dropout(x, { state: x })).toThrow("state has shape [2]; expected [6]");
    expect(() => dropout(x, 0.5 as never)).toThrow("{ p: 0.5 }");
    expect(() => dropoutState(engine, -1)).toThrow("seed is -1; expected a whole number");
    using tape = new Tape(engine);
    expect(() => {
      tape.run(() => {
        advanceDropout(state);
      });
    }).toThrow("advanceDropout is called while a tape records");
  });
});
