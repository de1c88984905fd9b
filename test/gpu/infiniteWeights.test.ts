/** Engines repair what infinite weights make of padding whenever they cannot know that weights are finite. */
import { forward, inputGradient, makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { brokenEngine, notCompiling } from "../support/brokenEngine.js";
import { gpuTest } from "../support/gpuTest.js";

const X = [1, 4, 6, 7];
const W = [5, 4, 3, 3];
const problem = makeProblem(2, X, W, { padding: 1 });
const layer = { padding: 1 } as const;

const ramp = (count: number): Float32Array<ArrayBuffer> => Float32Array.from({ length: count }, (_, i) => 1 + (i % 5));
const x = ramp(4 * 42);
const finite = ramp(5 * 36);
const infinite = finite.map((value, i) => (i % 36 === 0 ? Infinity : value));
const dy = ramp(5 * 42);

const sums = (w: Float32Array): number[] => [...forward(problem, x, w)];

describe("infinite weights at padding", () => {
  gpuTest("that the host wrote", async ({ engine }) => {
    const [source, weights, gradient] = [
      engine.tensor(x, X),
      engine.tensor(infinite, W),
      engine.tensor(dy, [1, 5, 6, 7]),
    ];
    const y = engine.conv2d(source, weights, layer);
    const dx = engine.conv2dInputGradient(gradient, weights, X, layer);
    expect([...(await y.data())]).toEqual(sums(infinite));
    expect([...(await dx.data())]).toEqual([...inputGradient(problem, dy, infinite)]);
    for (const tensor of [source, weights, gradient, y, dx]) tensor.dispose();
  });

  gpuTest("that were written over finite ones, and back", async ({ engine }) => {
    const [source, weights] = [engine.tensor(x, X), engine.tensor(finite, W)];
    for (const values of [finite, infinite, finite]) {
      await engine.write(weights, values);
      const y = engine.conv2d(source, weights, layer);
      expect([...(await y.data())]).toEqual(sums(values));
      y.dispose();
    }
    source.dispose();
    weights.dispose();
  });

  gpuTest("that the device computed", async ({ engine }) => {
    const [source, written, ones] = [
      engine.tensor(x, X),
      engine.tensor(infinite, W),
      engine.tensor([1, 1, 1, 1], [4, 1, 1, 1]),
    ];
    const weights = engine.conv2d(written, ones, { groups: 4 });
    const y = engine.conv2d(source, weights, layer);
    expect([...(await y.data())]).toEqual(sums(infinite));
    for (const tensor of [source, written, ones, weights, y]) tensor.dispose();
  });

  gpuTest("in a compiled sequence, from a later run on", async ({ engine }) => {
    const [source, weights] = [engine.tensor(x, X), engine.tensor(finite, W)];
    using sequence = await engine.compile(() => engine.conv2d(source, weights, layer));
    using y = sequence.result;
    for (const values of [finite, infinite, finite]) {
      await engine.write(weights, values);
      sequence.run();
      expect([...(await y.data())]).toEqual(sums(values));
    }
    for (const tensor of [source, weights]) tensor.dispose();
  });
});

describe("kernels that repair", () => {
  const isRepair = (code: string): boolean => code.includes("isSpecial(f32(result[place])");

  gpuTest("are neither compiled nor tried while weights are finite", async ({ engine: shared }) => {
    const repairs: string[] = [];
    const rewrite = (code: string, label: string): string => {
      if (isRepair(code)) repairs.push(label);
      return code;
    };
    using broken = await brokenEngine(shared, rewrite);
    const { engine } = broken;
    const [source, weights] = [engine.tensor(x, X), engine.tensor(finite, W)];
    using sequence = await engine.compile(() => engine.conv2d(source, weights, layer));
    sequence.run();
    expect([...(await sequence.result.data())]).toEqual(sums(finite));
    expect([...(await engine.conv2d(source, weights, layer).data())]).toEqual(sums(finite));
    expect(broken.compiled.length).toBeGreaterThan(0);
    expect(repairs).toEqual([]);
    await engine.write(weights, infinite);
    sequence.run();
    expect([...(await sequence.result.data())]).toEqual(sums(infinite));
    expect(repairs.length).toBeGreaterThan(0);
  });

  gpuTest("and do not compile are set aside once weights are infinite", async ({ engine: shared }) => {
    using broken = await brokenEngine(shared, (code) => (isRepair(code) ? notCompiling(code) : code));
    const { engine } = broken;
    const [source, weights] = [engine.tensor(x, X), engine.tensor(finite, W)];
    using sequence = await engine.compile(() => engine.conv2d(source, weights, layer));
    for (const values of [finite, infinite, infinite, finite]) {
      await engine.write(weights, values);
      sequence.run();
      expect([...(await sequence.result.data())]).toEqual(sums(values));
      const y = engine.conv2d(source, weights, layer);
      expect([...(await y.data())]).toEqual(sums(values));
      y.dispose();
    }
    // One for each solver that repairs, until the one serves that needs no repair.
    expect([...new Set(engine.kernelFaults.map(({ reason }) => reason))]).toEqual(["did not compile"]);
  });
});
