/** Parts of tensors that share their memory: what they take, who has what is written, and who may use them. */
import type { Engine, Tensor } from "webgpu-conv";
import { CancelError, createEngine } from "webgpu-conv";
import { maxPool2d, reshape, slice, split } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { Random, reals } from "../../support/data.js";
import { gpuTest } from "../../support/gpuTest.js";
import { onBindings } from "../../support/smallEngine.js";
import { OPTIONS, reasonOf, withParts } from "../../support/longWork.js";

const dispatchesOf = async (engine: Engine, record: () => Tensor[]): Promise<number> => {
  using sequence = await engine.compile(record);
  for (const tensor of sequence.result) tensor.dispose();
  return sequence.dispatches;
};

/** 256 bytes a row. */
const ROW = { float32: 64, float16: 128 } as const;

describe("a part", () => {
  for (const dtype of ["float32", "float16"] as const) {
    gpuTest(`of ${dtype} that begins at 256 bytes takes no dispatch and no memory`, async ({ bare: engine }) => {
      const row = ROW[dtype];
      const values = Float32Array.from({ length: 8 * row }, (_, i) => i);
      using x = engine.tensor(values, [8, row], { dtype });
      const { liveBytes } = engine.memory();
      const part = slice(x, 2, 5, 0);
      expect(engine.memory().liveBytes).toBe(liveBytes);
      expect(part.shape).toEqual([3, row]);
      expect(await part.data()).toEqual(values.subarray(2 * row, 5 * row));
      part.dispose();
      // Channels of one sample, a part of a part, and all of it.
      using image = engine.tensor(values, [1, 8, row / 4, 4], { dtype });
      expect(await dispatchesOf(engine, () => split(image, [2, 5, 1]))).toBe(0);
      using middle = slice(image, 2, 7);
      using inner = slice(middle, 1, 5);
      expect(await inner.data()).toEqual(values.subarray(3 * row, 7 * row));
      expect(await dispatchesOf(engine, () => [slice(inner, 1, 2), slice(inner, 0, 4)])).toBe(0);
    });

    gpuTest(`of ${dtype} that does not is copied`, async ({ bare: engine }) => {
      const row = ROW[dtype];
      const values = Float32Array.from({ length: 2 * row }, (_, i) => i);
      using x = engine.tensor(values, [2 * row], { dtype });
      // The first ends within a vector, the second begins at no multiple of 256 bytes; the last ends where x does. Without float16 in
      // shaders a copy also unpacks and packs.
      expect(await dispatchesOf(engine, () => [slice(x, 0, 5, 0)])).toBeGreaterThan(0);
      expect(await dispatchesOf(engine, () => [slice(x, 4, row, 0)])).toBeGreaterThan(0);
      using odd = engine.tensor(values.subarray(0, row + 3), [row + 3], { dtype });
      expect(await dispatchesOf(engine, () => split(odd, [row, 3], 0))).toBe(0);
      using two = engine.tensor(values, [2, row], { dtype });
      expect(await dispatchesOf(engine, () => split(two, [row / 2, row / 2], 1))).toBeGreaterThan(1);
      const parts = split(odd, [5, row - 5, 3], 0);
      await engine.write(odd, new Float32Array(row + 3));
      expect((await Promise.all(parts.map((part) => part.data()))).map((part) => part.at(-1))).toEqual([4, row - 1, 0]);
      for (const part of parts) part.dispose();
    });
  }

  gpuTest("has what is written to the whole, and the whole what is written to it", async ({ bare: engine }) => {
    using cpu = await createEngine({ backend: "cpu" });
    for (const own of [engine, cpu]) {
      for (const dtype of ["float32", "float16"] as const) {
        const row = ROW[dtype];
        using x = own.tensor(new Float32Array(3 * row), [3, row], { dtype });
        using part = slice(x, 1, 2, 0);
        const written = own.write(part, new Float32Array(row).fill(7));
        const ofWhole = x.data();
        await written;
        const values = await ofWhole;
        expect([values[0], values[row - 1], values[row], values[2 * row - 1], values[2 * row]]).toEqual([
          0, 0, 7, 7, 0,
        ]);
        await own.write(x, new Float32Array(3 * row).fill(2));
        expect(new Set(await part.data())).toEqual(new Set([2]));
      }
    }
  });

  gpuTest("keeps the memory, whoever goes first", async ({ bare: engine }) => {
    const values = Float32Array.from({ length: 256 }, (_, i) => i);
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0, 2],
    ]) {
      const { liveBytes } = engine.memory();
      const x = engine.tensor(values, [4, 64]);
      const part = slice(x, 1, 4, 0);
      const tensors = [x, part, slice(part, 1, 2, 0)];
      for (const [i, place] of order.entries()) {
        // Memory that was given back too early would serve this.
        using other = engine.tensor(new Float32Array(256), [4, 64]);
        for (const left of order.slice(i)) {
          const from = [0, 64, 128][left];
          expect(await tensors[left].data()).toEqual(values.subarray(from, [256, 256, 192][left]));
        }
        expect(other.size).toBe(256);
        tensors[place].dispose();
      }
      await engine.submit();
      expect(engine.memory().liveBytes).toBe(liveBytes);
    }
  });

  gpuTest("says at which byte it is bound, and is checked by itself", async ({ bare: engine }) => {
    const values = new Float32Array(192).fill(NaN, 0, 64).fill(Infinity, 128);
    using x = engine.tensor(values, [3, 64]);
    using part = slice(x, 1, 2, 0);
    expect(await engine.check(part)).toEqual({ infinite: 0, nan: 0, largest: 0 });
    const { buffer } = x.binding();
    expect(part.binding()).toEqual({ buffer, offset: 256, size: 256 });
  });
});

describe("operations on parts", () => {
  /** x, weights, residual and bias: parts of one tensor, or tensors of their own. */
  const operands = (engine: Engine, isPart: boolean): Tensor[] => {
    const sizes = [16 * 64, 16 * 16 * 9, 16 * 64, 16];
    const values = reals(
      new Random(3),
      sizes.reduce((sum, size) => sum + size),
    );
    if (!isPart) {
      let end = 0;
      return sizes.map((size) => engine.tensor(values.slice(end, (end += size)), [size]));
    }
    using whole = engine.tensor(values, [values.length]);
    return split(whole, sizes, 0);
  };
  const SHAPES = [[1, 16, 8, 8], [16, 16, 3, 3], [1, 16, 8, 8], [16]];

  gpuTest("of every family have the same bits", async ({ bare: engine }) => {
    const results = async (isPart: boolean): Promise<Float32Array[]> => {
      const flat = operands(engine, isPart);
      const [x, w, residual, bias] = flat.map((tensor, i) => reshape(tensor, SHAPES[i]));
      const made: Tensor[] = [];
      for (const solver of ["direct", "implicit-gemm", "winograd"]) {
        // More than once: packed weights are kept then.
        for (let i = 0; i < 3; i++) made.push(engine.conv2d(x, w, { bias, residual, padding: 1, solver }));
      }
      const { input, weight, bias: ofBias } = engine.conv2dBackward(residual, x, w, { padding: 1 });
      made.push(input, weight, ofBias, maxPool2d(x, { kernel: 2 }), engine.activate(x, "gelu"));
      const values = await Promise.all(made.map((tensor) => tensor.data()));
      for (const tensor of [...flat, x, w, bias, residual, ...made]) tensor.dispose();
      return values;
    };
    expect(await results(true)).toEqual(await results(false));
  });

  gpuTest("see new weights, though packed ones are kept", async ({ bare: engine }) => {
    using x = engine.tensor(new Float32Array(64).fill(1), [1, 4, 4, 4]);
    using whole = engine.tensor(new Float32Array(3 * 64), [12, 4, 2, 2]);
    using w = slice(whole, 4, 8, 0);
    for (const value of [1, 2, 3]) {
      await engine.write(whole, new Float32Array(3 * 64).fill(value));
      for (let i = 0; i < 3; i++) {
        using y = engine.conv2d(x, w);
        expect(new Set(await y.data())).toEqual(new Set([16 * value]));
      }
    }
  });

  gpuTest("where the device cannot bind the whole", async ({ bare: engine }) => {
    const values = Float32Array.from({ length: 2 ** 15 }, (_, i) => i % 251);
    await onBindings(engine, 2 ** 16, async (small) => {
      using x = small.tensor(values, [32, 2 ** 10]);
      const parts = split(x, [20, 12], 0);
      expect(await parts[1].data()).toEqual(values.subarray(20 * 2 ** 10));
      using part = slice(x, 7, 9, 0);
      using y = small.activate(part, "relu");
      expect(await y.data()).toEqual(values.subarray(7 * 2 ** 10, 9 * 2 ** 10));
      for (const one of parts) one.dispose();
      // A part that must be bound in pieces itself.
      using image = small.tensor(values, [1, 32, 32, 32]);
      using w = small.tensor(new Float32Array(24 * 9).fill(1), [1, 24, 3, 3]);
      using most = slice(image, 8, 32);
      using own = small.tensor(values.slice(8 * 2 ** 10), [1, 24, 32, 32]);
      using ofPart = small.conv2d(most, w, { padding: 1 });
      using ofOwn = small.conv2d(own, w, { padding: 1 });
      expect(await ofPart.data()).toEqual(await ofOwn.data());
    });
  });
});

describe("work that does not come about", () => {
  gpuTest("is a part's as it is the whole's", async ({ engine: whole }) => {
    await withParts(whole, async (engine, { x, w }) => {
      using y = engine.conv2d(x, w, OPTIONS);
      using part = slice(y, 8, 16);
      using next = engine.activate(part, "relu");
      const controller = new AbortController();
      const { signal } = controller;
      const onProgress = (): void => controller.abort(new RangeError("enough"));
      expect(await reasonOf(part.data({ signal, onProgress }))).toEqual(new RangeError("enough"));
      for (const tensor of [part, y, next]) expect(await reasonOf(tensor.data())).toBeInstanceOf(CancelError);
      await engine.finish();
    });
  });
});
