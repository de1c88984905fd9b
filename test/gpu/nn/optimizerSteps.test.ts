/** Steps of optimizers: recorded and replayed, clipped, left out. */
import { adam, sgd, Tape } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { Random } from "../../support/data.js";
import { gpuTest } from "../../support/gpuTest.js";
import { disposeAll, type Named, NAMES, randomValues, readAll, tensorsOf } from "../../support/nn/namedTensors.js";

describe("a recorded step", () => {
  gpuTest("goes on with each run, to the bits of steps one by one", async ({ bare: engine }) => {
    const random = new Random(3);
    const initial = randomValues(random);
    const values = [1, 2, 3, 4, 5].map(() => randomValues(random));
    const rates = [0.01, 0.01, 0.002, 0.002, 0.03];
    const run = async (recorded: boolean): Promise<Named> => {
      const parameters = tensorsOf(engine, initial);
      const gradients = tensorsOf(engine, values[0]);
      const optimizer = adam(engine, parameters, { lr: rates[0], weightDecay: 0.1, clipNorm: 1 });
      const sequence = recorded ? await engine.compile(() => optimizer.step(gradients)) : undefined;
      for (const [t, rate] of rates.entries()) {
        optimizer.lr = rate;
        for (const name of NAMES) await engine.write(gradients[name], values[t][name]);
        if (sequence) sequence.run();
        else optimizer.step(gradients);
      }
      const result = await readAll(parameters);
      expect((await optimizer.progress()).steps).toBe(rates.length);
      sequence?.dispose();
      optimizer.dispose();
      disposeAll(parameters);
      disposeAll(gradients);
      return result;
    };
    expect(await run(true)).toEqual(await run(false));
  });

  gpuTest("trains a padded convolution without another dispatch, and flat in memory", async ({ bare: engine }) => {
    const random = new Random(5);
    const reals = (count: number): Float32Array => Float32Array.from({ length: count }, () => 2 * random.next() - 1);
    const x = engine.tensor(reals(2 * 3 * 6 * 6), [2, 3, 6, 6]);
    const w = engine.tensor(reals(4 * 3 * 3 * 3), [4, 3, 3, 3]);
    const upstream = engine.tensor(reals(2 * 4 * 6 * 6), [2, 4, 6, 6]);
    const forward = async (): Promise<number> => {
      const sequence = await engine.compile(() => {
        engine.conv2d(x, w, { padding: 1 }).dispose();
      });
      const { dispatches } = sequence;
      sequence.dispose();
      return dispatches;
    };
    const before = await forward();
    const optimizer = sgd(engine, { w }, { lr: 1e-3, momentum: 0.9 });
    const step = await engine.compile(() => {
      using tape = new Tape(engine);
      using y = tape.run(() => engine.conv2d(x, w, { padding: 1 }));
      const gradients = tape.gradients(y, { w }, { upstream });
      optimizer.step(gradients);
      gradients.w.dispose();
    });
    step.run();
    await engine.finish();
    const memory = engine.memory();
    for (let t = 0; t < 500; t++) step.run();
    await engine.finish();
    expect(engine.memory()).toEqual(memory);
    expect((await optimizer.progress()).steps).toBe(501);
    expect(await forward()).toBe(before);
    // What the host did not write, and no optimizer changed, may be infinite: padding is repaired after.
    using own = engine.activate(w, "relu");
    const unknown = await engine.compile(() => {
      engine.conv2d(x, own, { padding: 1 }).dispose();
    });
    expect(unknown.dispatches).toBeGreaterThan(before);
    for (const one of [step, unknown, optimizer, x, w, upstream]) one.dispose();
  });
});

describe("clipping and leaving out", () => {
  gpuTest("clips by the norm of all gradients", async ({ bare: engine }) => {
    const a = engine.tensor([1, 1], [2]);
    const b = engine.tensor([1], [1]);
    const optimizer = sgd(engine, [a, b], { lr: 1, clipNorm: 6.5 });
    using ga = engine.tensor([3, 4], [2]);
    using gb = engine.tensor([12], [1]);
    optimizer.step([ga, gb]);
    expect((await optimizer.progress()).norm).toBe(13);
    const factor = 6.5 / (13 + 1e-6);
    for (const [tensor, values] of [
      [a, [1 - 3 * factor, 1 - 4 * factor]],
      [b, [1 - 12 * factor]],
    ] as const) {
      const actual = await tensor.data();
      values.forEach((value, i) => expect(Math.abs(actual[i] - value)).toBeLessThanOrEqual(2 ** -20));
    }
    // Below the limit nothing is scaled; the scale counts before the norm is taken.
    optimizer.gradientScale = 0.5;
    await engine.write(a, [1, 1]);
    optimizer.step([ga, gb]);
    expect((await optimizer.progress()).norm).toBe(6.5);
    optimizer.gradientScale = 0.25;
    await engine.write(a, [1, 1]);
    optimizer.step([ga, gb]);
    expect([...(await a.data())]).toEqual([0.25, 0]);
    for (const one of [optimizer, a, b]) one.dispose();
  });

  gpuTest("leaves steps out whose gradients are not finite", async ({ bare: engine }) => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      const run = async (withBad: boolean): Promise<{ values: Named; skipped: number; steps: number }> => {
        const random = new Random(11);
        const parameters = tensorsOf(engine, randomValues(random));
        const optimizer = adam(engine, parameters, { skipNonFinite: true, clipNorm: 1 });
        for (let t = 0; t < 3; t++) {
          const values = randomValues(random);
          if (withBad) {
            using hurt = engine.tensor([bad], [1]);
            const all = tensorsOf(engine, values);
            optimizer.step({ ...all, scale: hurt });
            disposeAll(all);
          }
          const gradients = tensorsOf(engine, values);
          optimizer.step(gradients);
          disposeAll(gradients);
        }
        const { skipped, steps } = await optimizer.progress();
        const values = await readAll(parameters);
        optimizer.dispose();
        disposeAll(parameters);
        return { values, skipped, steps };
      };
      const hurt = await run(true);
      expect(hurt).toEqual({ ...(await run(false)), skipped: 3 });
      expect(hurt.steps).toBe(3);
    }
  });

  gpuTest("carries NaN where nothing is left out", async ({ bare: engine }) => {
    for (const options of [{}, { clipNorm: 1 }, { amsgrad: true }] as const) {
      const w = engine.tensor([1, 2], [2]);
      const optimizer = adam(engine, { w }, options);
      using g = engine.tensor([NaN, 1], [2]);
      using fine = engine.tensor([1, 1], [2]);
      optimizer.step({ w: g });
      optimizer.step({ w: fine });
      // The norm, and so the scale, is NaN for all of them.
      expect(Array.from(await w.data(), Number.isNaN)).toEqual([true, "clipNorm" in options]);
      for (const one of [optimizer, w]) one.dispose();
    }
  });
});
