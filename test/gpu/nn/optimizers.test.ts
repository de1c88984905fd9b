/** Optimizers: against PyTorch's formulas in float64; float16; what they are given. */
import { createEngine as createAnyEngine, type Engine } from "webgpu-conv";
import { adam, type AdamOptions, adamw, type Optimizer, sgd, type SgdOptions, Tape } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { fromHalfBits, toHalfBits } from "../../../src/base/half.js";
import { Random } from "../../support/data.js";
import { gpuTest } from "../../support/gpuTest.js";
import {
  disposeAll,
  type NamedTensors,
  NAMES,
  randomValues,
  readAll,
  tensorsOf,
} from "../../support/nn/namedTensors.js";
import { adamFormula, type Formula, sgdFormula } from "../../support/nn/optimizerFormulas.js";

const STEPS = 6;

/**
 * Float32 against float64. A step rounds a parameter once, and its change by some operations of at most 3 units in the last place
 * (2^-23; WGSL allows a division 2.5, and a root somewhat more): 24 of them are taken for all of a step's formula. Errors of the
 * state are as large against the state, and so the change's is at most that per step so far. `moves` is how far a parameter went at
 * most in all steps together.
 */
const bound = (largest: number, moves: number, steps: number): number =>
  steps * 2 ** -24 * largest + steps * 24 * 2 ** -23 * moves;

interface Case {
  readonly title: string;
  readonly make: (engine: Engine, parameters: NamedTensors) => Optimizer;
  readonly formula: () => Formula;
  readonly lr: number;
  readonly undecayed?: readonly string[];
}

const sgdCase = (title: string, options: SgdOptions): Case => ({
  title: `sgd, ${title}`,
  make: (engine, parameters) => sgd(engine, parameters, options),
  formula: () => sgdFormula(options as SgdFormulaOptions),
  lr: options.lr,
});
type SgdFormulaOptions = Parameters<typeof sgdFormula>[0];

const adamCase = (title: string, decoupled: boolean, options: AdamOptions & { readonly lr: number }): Case => ({
  title,
  make: (engine, parameters) => (decoupled ? adamw : adam)(engine, parameters, options),
  formula: () =>
    adamFormula({ weightDecay: decoupled ? 0.01 : 0, ...(options as Partial<AdamFormulaOptions>), decoupled }),
  lr: options.lr,
});
type AdamFormulaOptions = Parameters<typeof adamFormula>[0];

const CASES: readonly Case[] = [
  sgdCase("plain", { lr: 0.1 }),
  sgdCase("weight decay", { lr: 0.1, weightDecay: 0.3 }),
  sgdCase("momentum", { lr: 0.05, momentum: 0.9 }),
  sgdCase("dampening", { lr: 0.05, momentum: 0.9, dampening: 0.4, weightDecay: 0.1 }),
  sgdCase("Nesterov", { lr: 0.05, momentum: 0.8, nesterov: true, weightDecay: 0.1 }),
  adamCase("adam", false, { lr: 0.01 }),
  adamCase("adam, weight decay and other betas", false, { lr: 0.02, weightDecay: 0.2, betas: [0, 0.5], eps: 1e-3 }),
  adamCase("adam, amsgrad", false, { lr: 0.01, amsgrad: true, betas: [0.5, 0.6] }),
  adamCase("adamw", true, { lr: 0.01 }),
  adamCase("adamw, amsgrad", true, { lr: 0.01, weightDecay: 0.5, amsgrad: true, betas: [0.9, 0.9] }),
];

describe("formulas of PyTorch", () => {
  for (const { title, make, formula, lr } of CASES) {
    gpuTest(title, async ({ bare: engine }) => {
      const random = new Random(7);
      const initial = randomValues(random);
      const parameters = tensorsOf(engine, initial);
      const optimizer = make(engine, parameters);
      const formulas = Object.fromEntries(NAMES.map((name) => [name, formula()]));
      const expected = Object.fromEntries(NAMES.map((name) => [name, Float64Array.from(initial[name])]));
      const moved = Object.fromEntries(NAMES.map((name) => [name, new Float64Array(initial[name].length)]));
      for (let t = 1; t <= STEPS; t++) {
        // They shrink, so that the largest second moment is an earlier one.
        const values = randomValues(random, 2 / t);
        const gradients = tensorsOf(engine, values);
        // The rate changes after some steps.
        const rate = t <= 3 ? lr : Math.fround(lr / 4);
        if (t === 4) optimizer.lr = rate;
        optimizer.step(gradients);
        for (const name of NAMES) {
          const after = formulas[name].step(expected[name], Float64Array.from(values[name]), rate, t);
          after.forEach((value, i) => (moved[name][i] += Math.abs(value - expected[name][i])));
          expected[name] = after;
        }
        disposeAll(gradients);
      }
      const actual = await readAll(parameters);
      for (const name of NAMES) {
        const largest = Math.max(...expected[name].map(Math.abs), ...initial[name].map(Math.abs));
        // The rate and other hyperparameters are rounded to float32, too: part of the 24.
        const allowed = bound(largest, Math.max(...moved[name]), STEPS);
        for (const [i, value] of expected[name].entries()) {
          expect(Math.abs(actual[name][i] - value), `${name}[${String(i)}]`).toBeLessThanOrEqual(allowed);
          expect(actual[name][i]).not.toBe(initial[name][i]);
        }
      }
      expect(await optimizer.progress()).toEqual({ steps: STEPS, skipped: 0, norm: 0 });
      optimizer.dispose();
      disposeAll(parameters);
    });
  }

  gpuTest("as the CPU's backend computes them", async ({ bare: engine }) => {
    const cpu = await createAnyEngine({ backend: "cpu" });
    for (const dtype of ["float32", "float16"] as const) {
      const results = await Promise.all(
        [engine, cpu].map(async (own) => {
          const w = own.tensor([1, -2, 0.5, 3], [4], { dtype });
          const optimizer = adamw(own, { w }, { lr: 0.1, clipNorm: 0.5, amsgrad: true });
          for (let t = 1; t <= 3; t++) {
            using g = own.tensor([t, 0.25, -t / 2, 0], [4], { dtype });
            optimizer.step({ w: g });
          }
          const { norm, ...counts } = await optimizer.progress();
          const values = await w.data();
          optimizer.dispose();
          w.dispose();
          return { norm, counts, values };
        }),
      );
      const [onDevice, onHost] = results;
      expect(onDevice.counts).toEqual(onHost.counts);
      expect(Math.abs(onDevice.norm - onHost.norm)).toBeLessThanOrEqual(2 ** -20 * onHost.norm);
      // float16 rounds once; float32 as above, and the clipping.
      const allowed = dtype === "float16" ? 2 ** -10 * 3 : bound(3, 0.4, 3);
      for (const [i, value] of onHost.values.entries())
        expect(Math.abs(onDevice.values[i] - value)).toBeLessThanOrEqual(allowed);
    }
    cpu.dispose();
  });
});

describe("float16 parameters", () => {
  gpuTest("keep small changes in float32, until the host writes others", async ({ bare: engine }) => {
    const w = engine.tensor([1, -1], [2], { dtype: "float16" });
    using g = engine.tensor([1, -1], [2], { dtype: "float16" });
    const optimizer = sgd(engine, { w }, { lr: 2 ** -14 });
    // Next to 1 a float16's step down is 2^-11: one change alone rounds to nothing.
    optimizer.step({ w: g });
    expect([...(await w.data())]).toEqual([1, -1]);
    for (let t = 1; t < 16; t++) optimizer.step({ w: g });
    expect([...(await w.data())]).toEqual([1 - 2 ** -10, -1 + 2 ** -10]);
    await engine.write(w, [2, -4]);
    optimizer.step({ w: g });
    expect([...(await w.data())]).toEqual([2, -4]);
    for (const one of [optimizer, w]) one.dispose();
  });

  gpuTest("keep a copy where float16 is infinite", async ({ bare: engine }) => {
    using w = engine.tensor([65504, -65504], [2], { dtype: "float16" });
    using g = engine.tensor([-1, 1], [2], { dtype: "float16" });
    using optimizer = sgd(engine, { w }, { lr: 1 });
    for (const lr of [32, 2 ** -15]) {
      optimizer.lr = lr;
      optimizer.step({ w: g });
    }
    expect([...(await w.data())]).toEqual([Infinity, -Infinity]);
    const { tensors } = optimizer.state();
    expect([...(await tensors["w.master"].data())]).toEqual([65536, -65536]);
    disposeAll({ ...tensors });
  });

  gpuTest("take the least change that the host writes", async ({ bare: engine }) => {
    using cpu = await createAnyEngine({ backend: "cpu" });
    for (const own of [engine, cpu]) {
      // Starts where float16's steps double, and where they do not; copies on either side of the parameter.
      for (const start of [1, -1, 1.5, 2 ** -6, -0.75, 1024]) {
        const neighbours = [-2, -1, 1, 2].map((places) => fromHalfBits(toHalfBits(start) + places));
        for (const change of [-0.125, 0, 0.125]) {
          using w = own.tensor(new Float32Array(4).fill(start), [4], { dtype: "float16" });
          using g = own.tensor(new Float32Array(4).fill(change), [4], { dtype: "float16" });
          using zero = own.tensor([0, 0, 0, 0], [4], { dtype: "float16" });
          using optimizer = sgd(own, { w }, { lr: 2 ** -10 * Math.abs(start) });
          optimizer.step({ w: g });
          await own.write(w, neighbours);
          optimizer.step({ w: zero });
          expect([...(await w.data())]).toEqual(neighbours);
        }
      }
    }
  });
});

describe("arguments", () => {
  gpuTest("names, shapes and options", ({ bare: engine }) => {
    using a = engine.tensor([1, 2], [2]);
    using b = engine.tensor([1, 2], [2]);
    using c = engine.tensor([1, 2, 3], [3]);
    using half = engine.tensor([1, 2], [2], { dtype: "float16" });
    expect(() => sgd(engine, {}, { lr: 1 })).toThrow("parameters is empty; expected at least one tensor");
    expect(() => sgd(engine, { a, b: a }, { lr: 1 })).toThrow("parameters.b and parameters.a share their memory");
    expect(() => sgd(engine, { a }, { lr: -1 })).toThrow("lr is -1; expected a number from 0 on");
    expect(() => sgd(engine, { a }, 0.1 as never)).toThrow("options is 0.1; expected an object: { lr: 0.1 }");
    expect(() => sgd(engine, { a }, { lr: 1, nesterov: true })).toThrow(/expected a momentum above 0/);
    expect(() => adam(engine, { a }, { betas: [0.9, 1] })).toThrow("betas is [0.9, 1]; expected two numbers");
    expect(() => adam(engine, { a }, { frozen: ["a"] })).toThrow("frozen has all 1 parameters");
    expect(() => adam(engine, { "conv.weight": a, b }, { frozen: ["conv.wieght"] })).toThrow(
      'frozen has "conv.wieght", and no parameter is called so; did you mean conv.weight?',
    );
    using optimizer = sgd(engine, { a, b, "fixed.weight": c }, { lr: 1, frozen: ["fixed"] });
    using own = engine.tensor([1, 2], [2]);
    expect(() => optimizer.step({ a: own })).toThrow(
      'gradients.b is missing; expected one for each parameter, or "b" among frozen',
    );
    expect(() => optimizer.step({ a: own, b: own, c: own })).toThrow(
      "gradients.c is of no parameter; expected those of a, b",
    );
    expect(() => optimizer.step({ a: own, b: c })).toThrow(
      "gradients.b has shape [3]; expected [2], as its parameter has",
    );
    expect(() => optimizer.step({ a: own, b: half })).toThrow("gradients.b is float16; expected float32");
    expect(() => optimizer.step({ a: own, b: a })).toThrow("gradients.b shares its memory with parameters.a");
    using tape = new Tape(engine);
    expect(() => tape.run(() => optimizer.step({ a: own, b: own }))).toThrow("step was called while a tape records");
    const gone = engine.tensor([1, 2], [2]);
    gone.dispose();
    expect(() => sgd(engine, { a, b: gone }, { lr: 1 })).toThrow("parameters.b of shape [2] was disposed");
    expect(() => optimizer.step({ a: own, b: gone })).toThrow("gradients.b of shape [2] was disposed");
    expect(() => optimizer.step([own, gone])).toThrow("gradients.1 of shape [2] was disposed");
    // One gradient may be that of two parameters.
    optimizer.step({ a: own, b: own, "fixed.weight": c });
    optimizer.dispose();
    expect(() => optimizer.step({ a: own, b: own })).toThrow("the optimizer (sgd) was disposed of");
  });

  gpuTest("gradients in a list go in the order of the parameters that are not frozen", async ({ bare: engine }) => {
    using one = engine.tensor([1], [1]);
    using two = engine.tensor([2, 2], [2]);
    for (const byName of [true, false]) {
      const parameters = [engine.tensor([8], [1]), engine.tensor([8], [1]), engine.tensor([8, 8], [2])] as const;
      const [a, b, c] = parameters;
      using optimizer = sgd(engine, byName ? { a, b, c } : [...parameters], { lr: 1, frozen: [byName ? "b" : "1"] });
      optimizer.step([one, two]);
      // A frozen one's gradient may be there, where names tell which it is.
      const all = [one, one, two];
      if (!byName) optimizer.step(all);
      else expect(() => optimizer.step(all)).toThrow("gradients.0 is of no parameter; expected those of a, c");
      expect(() => optimizer.step([two, one])).toThrow(
        `gradients.0 has shape [2]; expected [1], as parameters.${byName ? "a" : "0"} has`,
      );
      const values = await Promise.all(parameters.map((parameter) => parameter.data()));
      expect(values.map(([value]) => value)).toEqual(byName ? [7, 8, 6] : [6, 8, 4]);
      for (const parameter of parameters) parameter.dispose();
    }
  });

  gpuTest("frozen parameters stay, and undecayed ones do not decay", async ({ bare: engine }) => {
    const a = engine.tensor([8], [1]);
    const b = engine.tensor([8], [1]);
    const c = engine.tensor([8], [1]);
    const optimizer = sgd(
      engine,
      { "x.a": a, "x.b": b, c },
      { lr: 0.5, weightDecay: 0.25, frozen: ["c"], undecayed: ["x.b"] },
    );
    using g = engine.tensor([2], [1]);
    optimizer.step({ "x.a": g, "x.b": g });
    expect([await a.data(), await b.data(), await c.data()].map(([value]) => value)).toEqual([6, 7, 8]);
    expect(Object.keys(optimizer.parameters)).toEqual(["x.a", "x.b"]);
    for (const one of [optimizer, a, b, c]) one.dispose();
  });

  gpuTest("the rate is not set while a sequence is recorded", async ({ bare: engine }) => {
    using w = engine.tensor([1], [1]);
    using g = engine.tensor([1], [1]);
    using optimizer = sgd(engine, { w }, { lr: 1 });
    const record = (): void => {
      optimizer.lr = 0.5;
      optimizer.step({ w: g });
    };
    await expect(engine.compile(record)).rejects.toThrow("lr was set while a sequence is recorded");
    expect(optimizer.lr).toBe(1);
  });
});
