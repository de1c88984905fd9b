/** A tensor of more than the 128 MiB that every device binds, with the bits of the whole. In Node alone, since it takes memory. */
import { expect } from "vitest";
import type { Engine } from "webgpu-conv";
import { gpuTest } from "../support/gpuTest.js";
import { onBindings } from "../support/smallEngine.js";

const SHAPE = [1, 2, 96, 440, 440];
const WEIGHTS = [0.3, -0.7, 0.11, 0.2, 0.9, -0.4];

async function run(engine: Engine, values: Float32Array): Promise<Float32Array> {
  using x = engine.tensor(values, SHAPE);
  using w = engine.tensor(WEIGHTS, [1, 2, 3, 1, 1]);
  using y = engine.conv3d(x, w, { padding: [1, 0, 0] });
  return await y.data();
}

gpuTest("149 MB on WebGPU's default limits", { timeout: 120_000 }, async ({ engine }) => {
  const values = Float32Array.from({ length: 2 * 96 * 440 * 440 }, (_, i) => ((i * 7919) % 1000) / 777 - 0.6);
  await onBindings(engine, 2 ** 27, async (small) => {
    const { pieces } = small.explain("conv3d", { input: SHAPE, weight: [1, 2, 3, 1, 1] }, { padding: [1, 0, 0] });
    expect(pieces).toMatchObject({ count: 2, along: { depth: 2 } });
    const wanted = await run(engine, values);
    const got = await run(small, values);
    expect(got.findIndex((value, i) => !Object.is(value, wanted[i]))).toBe(-1);
    expect(got).toHaveLength(96 * 440 * 440);
  });
});
