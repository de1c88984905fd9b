/** Gradients of several parameters together: norms, clipping, sums; on devices that bind few buffers, too. */
import { createEngine, type Engine, type Tensor } from "webgpu-conv";
import {
  accumulate,
  activate,
  adam,
  clipGradNorm,
  clipGradValue,
  gradientNorm,
  sgd,
  Tape,
  zeroGradients,
} from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { Random } from "../../support/data.js";
import { deviceOf, gpuTest } from "../../support/gpuTest.js";
import { LOW_LIMITS, withLimits } from "../../support/smallDevice.js";

/** Two dispatches of eight, more where fewer are bound; parts of 4,096 elements and a rest. */
const SIZES = [1, 255, 256, 257, 4095, 4096, 4097, 9000, 3, 64, 65, 7, 500];
const NORM_BOUND = 2 ** -18;

function randomTensors(engine: Engine, random: Random, dtype: "float32" | "float16" = "float32"): Tensor[] {
  return SIZES.map((size) => {
    const values = Float32Array.from({ length: size }, () => 2 * random.next() - 1);
    return engine.tensor(values, [size], { dtype });
  });
}

const readAll = async (tensors: readonly Tensor[]): Promise<Float32Array[]> =>
  await Promise.all(tensors.map((tensor) => tensor.data()));

const normOf = (values: readonly Float32Array[]): number =>
  Math.sqrt(values.reduce((sum, own) => own.reduce((part, value) => part + value * value, sum), 0));

const disposeAll = (tensors: readonly Tensor[]): void => {
  for (const tensor of tensors) tensor.dispose();
};

describe("the norm", () => {
  gpuTest("of several tensors, the same bits each time", async ({ bare: engine }) => {
    for (const dtype of ["float32", "float16"] as const) {
      const tensors = randomTensors(engine, new Random(1), dtype);
      const expected = normOf(await readAll(tensors));
      using first = gradientNorm(tensors);
      using second = gradientNorm(Object.fromEntries(tensors.map((tensor, i) => [`p${String(i)}`, tensor])));
      const [norm] = await first.data();
      // 64 squares in a chain, 6 levels of a tree, then 6 more levels and a root: fewer than 64 roundings of 2^-24 each.
      expect(Math.abs(norm - expected)).toBeLessThanOrEqual(NORM_BOUND * expected);
      expect([...(await second.data())]).toEqual([norm]);
      disposeAll(tensors);
    }
  });

  gpuTest("is exact for small integers, whatever their place", async ({ bare: engine }) => {
    for (const size of [1, 64, 4096, 4097, 70_000]) {
      using ones = engine.tensor(new Float32Array(size).fill(2), [size]);
      using rest = engine.tensor([Math.sqrt(0), 6], [2]);
      using norm = gradientNorm([ones, rest]);
      expect([...(await norm.data())]).toEqual([Math.fround(Math.sqrt(4 * size + 36))]);
    }
  });
});

describe("clipping", () => {
  gpuTest("by the norm", async ({ bare: engine }) => {
    for (const dtype of ["float32", "float16"] as const) {
      const tensors = randomTensors(engine, new Random(2), dtype);
      const before = await readAll(tensors);
      const norm = normOf(before);
      using large = clipGradNorm(tensors, 2 * norm);
      expect(await readAll(tensors)).toEqual(before);
      using clipped = clipGradNorm(tensors, norm / 4);
      for (const result of [large, clipped]) {
        expect(result.shape).toEqual([1]);
        expect(Math.abs((await result.data())[0] - norm)).toBeLessThanOrEqual(NORM_BOUND * norm);
      }
      const rounding = dtype === "float16" ? 2 ** -11 : 0;
      for (const [i, values] of (await readAll(tensors)).entries()) {
        for (const [j, value] of values.entries()) {
          const expected = before[i][j] / 4;
          expect(Math.abs(value - expected)).toBeLessThanOrEqual(
            (rounding + 2 * NORM_BOUND) * Math.abs(expected) + 2 ** -25,
          );
        }
      }
      disposeAll(tensors);
    }
  });

  gpuTest("by the norm: NaN in all, zeros stay", async ({ bare: engine }) => {
    const a = engine.tensor([NaN, 1], [2]);
    const b = engine.tensor([1], [1]);
    using norm = clipGradNorm({ a, b }, 1);
    expect([await norm.data(), await a.data(), await b.data()].map((values) => values.every(Number.isNaN))).toEqual([
      true,
      true,
      true,
    ]);
    using zero = engine.tensor([0, 0], [2]);
    using none = clipGradNorm({ zero }, 1);
    expect([...(await none.data()), ...(await zero.data())]).toEqual([0, 0, 0]);
    disposeAll([a, b]);
  });

  gpuTest("by value", async ({ bare: engine }) => {
    using a = engine.tensor([-3, -0.5, 0, 0.5, 3, Infinity, -Infinity, NaN], [8]);
    using b = engine.tensor([7], [1]);
    clipGradValue({ a, b }, 1.5);
    expect([...(await a.data()), ...(await b.data())]).toEqual([-1.5, -0.5, 0, 0.5, 1.5, 1.5, -1.5, NaN, 1.5]);
    expect(() => clipGradValue({ a }, 0)).toThrow("clipValue is 0; expected a number above 0");
    expect(() => clipGradNorm([], 1)).toThrow("gradients is empty; expected at least one tensor");
  });

  gpuTest("tensors that share memory change once", async ({ bare: engine }) => {
    const { reshape } = await import("webgpu-conv/nn");
    using a = engine.tensor([3, 4], [2]);
    using view = reshape(a, [1, 2]);
    using norm = clipGradNorm([a, view], Math.sqrt(50) / 2);
    expect(Math.abs((await norm.data())[0] - Math.sqrt(50))).toBeLessThanOrEqual(2 ** -20);
    const [first, second] = await a.data();
    expect([Math.abs(first - 1.5), Math.abs(second - 2)].every((error) => error <= 2 ** -20)).toBe(true);
  });
});

describe("sums over batches", () => {
  gpuTest("in place, and cleared", async ({ bare: engine }) => {
    for (const dtype of ["float32", "float16"] as const) {
      const random = new Random(3);
      const sums = randomTensors(engine, random, dtype);
      const before = await readAll(sums);
      const terms = randomTensors(engine, random, dtype);
      const values = await readAll(terms);
      accumulate(sums, terms);
      accumulate(sums, terms);
      const round = (value: number): number => {
        if (dtype === "float32") return Math.fround(value);
        // To float16, for magnitudes below 4: to the nearest, ties to even, by adding and taking away.
        const step = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(value) || 1))) - 10);
        const rest = value / step;
        const floor = Math.floor(rest);
        const up = rest - floor > 0.5 || (rest - floor === 0.5 && floor % 2 !== 0);
        return step * (floor + (up ? 1 : 0));
      };
      for (const [i, own] of (await readAll(sums)).entries()) {
        expect([...own]).toEqual(
          Array.from(before[i], (value, j) => round(round(value + values[i][j]) + values[i][j])),
        );
      }
      expect(await readAll(terms)).toEqual(values);
      zeroGradients(sums);
      expect((await readAll(sums)).every((own) => own.every((value) => value === 0))).toBe(true);
      disposeAll([...sums, ...terms]);
    }
  });

  gpuTest("a batch in two halves makes the step of the whole", async ({ bare: engine }) => {
    const run = async (halves: boolean): Promise<number[]> => {
      const w = engine.tensor([4, 8], [2]);
      const optimizer = sgd(engine, { w }, { lr: 0.5 });
      const sums = { w: engine.tensor([1, 2], [2]) };
      using second = engine.tensor([3, 6], [2]);
      using mean = engine.tensor([2, 4], [2]);
      if (halves) {
        accumulate(sums, { w: second });
        optimizer.gradientScale = 1 / 2;
      }
      optimizer.step(halves ? sums : { w: mean });
      const result = [...(await w.data())];
      for (const one of [optimizer, w, sums.w]) one.dispose();
      return result;
    };
    expect(await run(true)).toEqual([3, 6]);
    expect(await run(false)).toEqual([3, 6]);
  });

  gpuTest("names, shapes and memory of its own", ({ bare: engine }) => {
    using a = engine.tensor([1, 2], [2]);
    using b = engine.tensor([1, 2, 3], [3]);
    expect(() => accumulate({ a }, { b })).toThrow('gradients has ["b"]; expected ["a"], as sums has');
    expect(() => accumulate({ a }, { a: b })).toThrow("gradients.a has shape [3]; expected [2], as sums.a has");
    expect(() => accumulate({ a }, { a })).toThrow(
      "gradients.a shares its memory with sums.a; expected memory of its own",
    );
    const gone = engine.tensor([1, 2], [2]);
    gone.dispose();
    expect(() => accumulate({ a }, { a: gone })).toThrow("gradients.a of shape [2] was disposed");
    expect(() => accumulate({ a: gone }, { a })).toThrow("sums.a of shape [2] was disposed");
    for (const change of [
      () => gradientNorm({ a, gone }).dispose(),
      () => clipGradNorm({ a, gone }, 1).dispose(),
      () => clipGradValue({ a, gone }, 1),
      () => zeroGradients({ a, gone }),
    ]) {
      expect(change).toThrow("gradients.gone of shape [2] was disposed");
    }
  });

  gpuTest("nothing changes in place while a tape records", ({ bare: engine }) => {
    using a = engine.tensor([1, 2], [2]);
    using b = engine.tensor([1, 2], [2]);
    using tape = new Tape(engine);
    const calls: Readonly<Record<string, () => unknown>> = {
      accumulate: () => accumulate({ a }, { a: b }),
      clipGradNorm: () => clipGradNorm([a], 1),
      clipGradValue: () => clipGradValue([a], 1),
      zeroGradients: () => zeroGradients([a]),
      gradientNorm: () => gradientNorm([a]),
    };
    for (const [name, call] of Object.entries(calls)) {
      const compute = (): Tensor => {
        call();
        return activate(a, "relu");
      };
      expect(() => tape.run(compute)).toThrow(`${name} was called while a tape records`);
    }
  });
});

describe("devices that bind few storage buffers", () => {
  /** What two steps make of parameters, and norms and clipping of gradients. */
  async function results(engine: Engine): Promise<Float32Array[]> {
    const random = new Random(5);
    const parameters = randomTensors(engine, random);
    const gradients = randomTensors(engine, random);
    const sums = randomTensors(engine, random);
    using plain = sgd(engine, parameters, { lr: 0.1 });
    using optimizer = adam(engine, parameters, { clipNorm: 1, amsgrad: true });
    plain.step(gradients);
    accumulate(sums, gradients);
    using norm = clipGradNorm(gradients, 3);
    optimizer.step(gradients);
    const all = [...parameters, ...gradients, ...sums, norm];
    const values = await readAll(all);
    disposeAll([...parameters, ...gradients, ...sums]);
    return values;
  }

  gpuTest("the same bits", async ({ bare: engine }) => {
    const expected = await results(engine);
    for (const maxStorageBuffersPerShaderStage of [LOW_LIMITS.maxStorageBuffersPerShaderStage, 8, 9, 10]) {
      const { device, violations } = withLimits(deviceOf(engine), { maxStorageBuffersPerShaderStage });
      const small = await createEngine({ device, poison: true });
      expect(await results(small)).toEqual(expected);
      expect(violations).toEqual([]);
      expect(small.memory().liveTensors).toBe(0);
      small.dispose();
    }
  });
});
