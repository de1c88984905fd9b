/** Stacks of layers by tiles have the bits of the whole. */
import { type Engine, LimitError, SolverError } from "webgpu-conv";
import { createEngine } from "test-engine";
import { describe, expect, test } from "vitest";
import { Random } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import {
  describeStack,
  disposeStack,
  type RandomStack,
  randomStack,
  runWhole,
  type StackLayer,
  uploadStack,
} from "../support/randomStack.js";
import { seedsToRun } from "../support/seeds.js";

/** Runs a stack whole and by tiles, and compares bits. `tile` is random where it is not given. */
async function compare(engine: Engine, stack: RandomStack, random: Random, given?: readonly number[]): Promise<void> {
  const tensors = uploadStack(engine, stack, random);
  const { layout } = stack;
  try {
    const whole = await runWhole(engine, stack, tensors);
    const spatial = layout === "channels-first" ? whole.shape.slice(1) : whole.shape.slice(0, -1);
    const tile = given ?? spatial.map((extent) => random.integer(1, Math.max(1, Math.ceil(extent / 2))));
    const source = { shape: stack.input, values: tensors.input };
    const tiled = await engine.convolveTiled(source, tensors.layers, { tile, layout });
    const text = `${describeStack(stack)} by ${tile.join()}`;
    expect(tiled.shape, text).toEqual(whole.shape);
    const bits = (values: Float32Array | undefined): Uint32Array => new Uint32Array(values?.slice().buffer ?? []);
    const [expected, got] = [bits(whole.values), bits(tiled.values)];
    const wrong = expected.findIndex((one, i) => one !== got[i]);
    expect(wrong, `the first element with other bits of ${text}`).toBe(-1);
    expect(got).toHaveLength(expected.length);
  } finally {
    disposeStack(tensors);
  }
}

describe("random stacks", () => {
  for (const seed of seedsToRun(5)) {
    gpuTest(`seed ${String(seed)}`, async ({ engine }) => {
      const random = new Random(seed);
      await compare(engine, randomStack(random), random);
    });
  }
});

const layer = (weight: readonly number[], options: StackLayer["options"] = {}): StackLayer => ({
  weight,
  bias: true,
  options,
});
const stackOf = (input: readonly number[], ...layers: readonly StackLayer[]): RandomStack => ({
  rank: 2,
  input,
  layout: "channels-first",
  dtype: "float32",
  layers,
});
const same = (name: string, padding = 1): StackLayer["options"] => ({ padding, solver: name });

describe("tiles in the blocks of Winograd's", () => {
  gpuTest("which the engine chooses", async ({ engine }) => {
    const stack = stackOf([32, 23, 30], layer([32, 32, 3, 3], { padding: 1 }), layer([32, 32, 3, 3], { padding: 1 }));
    expect(
      engine.explain("conv2d", { input: [1, 32, 23, 30], weight: [32, 32, 3, 3] }, { padding: 1, bias: true }).solver,
    ).toBe("winograd");
    await compare(engine, stack, new Random(1), [5, 9]);
  });

  gpuTest("dilated, mirrored at the edges, and cropped", async ({ engine }) => {
    const dilated = { dilation: 2, solver: { name: "winograd", config: { tile: 2 } } };
    const stack = stackOf(
      [2, 25, 22],
      layer([3, 2, 3, 3], { ...dilated, padding: 2, paddingMode: "reflect" }),
      layer([2, 3, 3, 3], { ...dilated, padding: [[1, -2], [0, 3]] }), // prettier-ignore
      layer([2, 2, 5, 5], same("winograd", 2)),
    );
    await compare(engine, stack, new Random(2), [4, 6]);
  });
});

describe("sums that are split as those of the whole", () => {
  gpuTest("by the engine, for few results", async ({ engine }) => {
    const stack = stackOf([300, 5, 4], layer([5, 300, 3, 3], { ...same("register-tile"), groups: 1 }));
    await compare(engine, stack, new Random(3), [2, 2]);
  });

  gpuTest("by the caller", async ({ engine }) => {
    const config = { threads: 32, mPerThread: 4, placesPerThread: 1, unroll: 2, splitK: 3 };
    const stack = stackOf([70, 6, 9], layer([4, 70, 3, 3], { padding: 1, solver: { name: "scalar-tile", config } }));
    await compare(engine, stack, new Random(4), [3, 4]);
  });
});

test("the CPU's tiles", { timeout: 60_000 }, async () => {
  const engine = await createEngine({ backend: "cpu" });
  for (const seed of [3, 7, 20]) {
    const random = new Random(seed);
    await compare(engine, randomStack(random), random);
  }
  engine.dispose();
});

test("a class of GPUs has other solvers, and their order", async () => {
  const engine = await createEngine({ deviceClass: "nvidia" });
  const stack = stackOf([16, 13, 14], layer([24, 16, 3, 3], { padding: 1, activation: "relu" }));
  await compare(engine, stack, new Random(5), [4, 7]);
  engine.dispose();
});

gpuTest("circular padding keeps an axis whole", async ({ engine }) => {
  const padding = [[1, 1], [0, 0]] as const; // prettier-ignore
  const stack = stackOf([2, 9, 14], layer([3, 2, 3, 3], { padding, paddingMode: "circular" }), layer([1, 3, 3, 3]));
  await compare(engine, stack, new Random(6), [7, 3]);
});

gpuTest("a solver that the caller names runs, or the call rejects", async ({ engine }) => {
  const weight = engine.tensor(new Float32Array(8), [1, 2, 2, 2]);
  const source = { shape: [2, 8, 8], values: new Float32Array(128) };
  await expect(engine.convolveTiled(source, [{ weight, solver: "winograd" }])).rejects.toThrow(SolverError);
  await expect(engine.convolveTiled(source, [{ weight }], { maxBytes: 100 })).rejects.toThrow(LimitError);
  weight.dispose();
});
