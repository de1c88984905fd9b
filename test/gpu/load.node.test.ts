/** Much of everything: operations, callers at a time, engines. Nothing grows, and every value is right. */
import type { Engine } from "webgpu-conv";
import { forward, makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { product } from "../../src/problem/geometry.js";
import { Random, smallIntegers } from "../support/data.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { hostMemory } from "../support/heap.js";
import { exactMismatch } from "../support/mismatch.js";

/** Sizes that share a few kernels: compiling is not what is tested. */
const SHAPES = Array.from({ length: 300 }, (_, i) => {
  const [height, width] = [3 + (i % 20), 3 + Math.floor(i / 20)];
  const kernel = [1, 3][i % 2];
  return { input: [1, 2, height, width], weight: [2, 2, kernel, kernel], options: { padding: (kernel - 1) / 2 } };
});

/** Values of a shape, and what they give. */
function makeValues({ input, weight, options }: (typeof SHAPES)[number]) {
  const random = new Random(product(input));
  const [x, w] = [smallIntegers(random, product(input)), smallIntegers(random, product(weight))];
  return { x, w, expected: forward(makeProblem(2, input, weight, options), x, w) };
}

/** Beside other processes on two cores; by itself the first takes a minute and a half. */
const PATIENT = { timeout: 400_000 };
const POOL_BYTES = 2 ** 20;
const MEBIBYTE = 2 ** 20;

async function convolve(engine: Engine, shape: (typeof SHAPES)[number], read: boolean): Promise<string | undefined> {
  const { x, w, expected } = makeValues(shape);
  using input = engine.tensor(x, shape.input);
  using weight = engine.tensor(w, shape.weight);
  using y = engine.conv2d(input, weight, { ...shape.options, solver: "direct" });
  return read ? exactMismatch(await y.data(), expected) : undefined;
}

describe("under load", () => {
  gpuTest("100,000 operations of 300 shapes in random order leave memory flat", PATIENT, async ({ engine: shared }) => {
    using engine = await createEngine({ device: deviceOf(shared), poolBytes: POOL_BYTES });
    const operands = SHAPES.map((shape) => {
      const { x, w, expected } = makeValues(shape);
      return { shape, x: engine.tensor(x, shape.input), w: engine.tensor(w, shape.weight), expected };
    });
    const random = new Random(100_000);
    const heaps: number[] = [];
    const before = engine.memory();
    for (let i = 1; i <= 100_000; i++) {
      const { shape, x, w, expected } = random.pick(operands);
      using y = engine.conv2d(x, w, { ...shape.options, solver: "direct" });
      if (i % 500 === 0) expect([i, exactMismatch(await y.data(), expected)]).toEqual([i, undefined]);
      if (i % 25_000 === 0) heaps.push((await hostMemory()).heapBytes);
    }
    await engine.finish();
    expect(engine.memory().liveBytes).toBe(before.liveBytes);
    expect(engine.memory().pooledBytes).toBeLessThanOrEqual(POOL_BYTES);
    expect(heaps[3] - heaps[1], "bytes of the heap, second half").toBeLessThan(2 * MEBIBYTE);
  });

  gpuTest("50 callers at a time get their own results", async ({ engine }) => {
    const callers = Array.from({ length: 50 }, async (_, caller) => {
      const random = new Random(caller);
      for (let i = 0; i < 6; i++) {
        const shape = random.pick(SHAPES);
        expect([caller, i, await convolve(engine, shape, true)]).toEqual([caller, i, undefined]);
        if (random.next() < 0.3) await engine.submit();
        if (random.next() < 0.2) await engine.finish();
      }
    });
    await Promise.all(callers);
  });

  gpuTest("an engine that loses its device again and again holds no more than before", async () => {
    using engine = await createEngine({ recover: true });
    const { x, w, expected } = makeValues(SHAPES[1]);
    const input = engine.tensor(x, SHAPES[1].input, { keep: true });
    const weight = engine.tensor(w, SHAPES[1].weight, { keep: true });
    using sequence = await engine.compile(() => engine.conv2d(input, weight, SHAPES[1].options));
    const heaps: number[] = [];
    const { liveBytes } = engine.memory();
    for (let i = 1; i <= 20; i++) {
      sequence.run();
      expect([i, exactMismatch(await sequence.result.data(), expected)]).toEqual([i, undefined]);
      const { lost } = engine;
      deviceOf(engine).destroy();
      await (
        await lost
      ).recovered;
      await engine.finish().catch(() => undefined);
      if (i % 5 === 0) heaps.push((await hostMemory()).heapBytes);
    }
    expect(engine.memory().liveBytes).toBe(liveBytes);
    expect(heaps[3] - heaps[1], "bytes of the heap, second half").toBeLessThan(MEBIBYTE);
  });

  gpuTest("1,000 engines are made and disposed of", PATIENT, async ({ engine: shared }) => {
    const heaps: number[] = [];
    for (let i = 1; i <= 1000; i++) {
      // Some have devices of their own.
      using engine = await createEngine(i % 20 === 0 ? {} : { device: deviceOf(shared) });
      const read = i % 50 === 0;
      expect([i, await convolve(engine, SHAPES[0], read)]).toEqual([i, undefined]);
      if (i % 250 === 0) heaps.push((await hostMemory()).heapBytes);
    }
    expect(heaps[3] - heaps[1], "bytes of the heap, second half").toBeLessThan(2 * MEBIBYTE);
  });
});
