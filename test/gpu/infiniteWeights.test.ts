/** Engines repair what infinite weights make of padding whenever they cannot know that weights are finite. */
import { forward, inputGradient, makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
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
