/** Keys of caches: what differs has another key, what is equal has the same. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { makeProblem } from "webgpu-conv/reference";
import kernel from "../../shaders/direct/direct.wgsl";
import { dataKey } from "../../src/base/keys.js";
import { plainOperation } from "../../src/calls/calls.js";
import { PipelineCache } from "../../src/gpu/pipelines/pipelineCache.js";
import { keyOf } from "../../src/problem/operation.js";
import { readPixels } from "../../src/problem/images.js";

/** Numbers that JSON writes as another value, or as none. */
const STRANGE = [0, -0, NaN, Infinity, -Infinity];

test("data differ by each of their numbers, those that JSON lacks too", () => {
  const values = [...STRANGE, 1, null, true, "0", "-0", "NaN", "Infinity", [], {}];
  expect(new Set(values.map(dataKey)).size).toBe(values.length);
  expect(new Set(values.map((value) => dataKey({ a: [value], b: 1 }))).size).toBe(values.length);
  for (const value of values) expect(dataKey({ a: [value] })).toBe(dataKey({ a: [value] }));
});

test("operations differ by an image's normalisation, beyond float32's range too", () => {
  const operation = plainOperation("forward", makeProblem(2, [1, 1, 4, 4], [1, 1, 1, 1]), { dtype: "float32" });
  const keyWith = (mean: number): string =>
    keyOf({ ...operation, pixels: readPixels({ channels: 1, mean, std: 1e-320 }, 16, "rgba") });
  expect(keyWith(1)).not.toBe(keyWith(-1));
  expect(keyWith(1)).toBe(keyWith(1));
});

describe("pipelines", () => {
  afterEach(() => vi.unstubAllGlobals());

  function makeCache(): PipelineCache {
    vi.stubGlobal("GPUShaderStage", { COMPUTE: 4 });
    const device = {
      limits: { maxStorageBuffersPerShaderStage: 8 },
      createBindGroupLayout: () => ({}),
      createPipelineLayout: () => ({}),
      pushErrorScope: () => undefined,
      popErrorScope: () => Promise.resolve(null),
      createShaderModule: () => ({}),
      createComputePipelineAsync: () => Promise.resolve({}),
    };
    return new PipelineCache(device as unknown as GPUDevice);
  }

  test("that were used last are kept, and no more than a network needs", async () => {
    const cache = makeCache();
    const get = (value: number) => cache.get(kernel, { FIRST_PARAMETER: value });
    const first = get(0);
    for (let value = 1; value < 1500; value++) {
      await get(value).settled;
      if (value % 500 === 0) expect(get(0)).toBe(first);
    }
    expect(cache.size).toBe(1024);
    expect(get(0)).toBe(first);
    expect(get(1499).pipeline).toBeDefined();
    expect(get(1).pipeline).toBeUndefined();
    await get(1).settled;
    expect(cache.size).toBe(1024);
  });

  test("differ by each constant, and are shared where all are equal", async () => {
    const cache = makeCache();
    const entries = STRANGE.map((value) => cache.get(kernel, { FIRST_PARAMETER: value }));
    expect(new Set(entries).size).toBe(STRANGE.length);
    expect(cache.get(kernel, { FIRST_PARAMETER: 0 })).toBe(entries[0]);
    await Promise.all(entries.map(({ settled }) => settled));
  });
});
