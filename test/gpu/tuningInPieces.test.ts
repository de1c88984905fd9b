/** Tuning of operations that run in pieces, and solvers whose scratch memory alone is beyond a binding. */
import { type Engine, SolverError } from "webgpu-conv";
import { forward, makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { plainOperation } from "../../src/calls/calls.js";
import { readCapabilities } from "../../src/planning/capabilities.js";
import { adapterKey, bucketOf } from "../../src/tuner/key.js";
import { Random, reals, smallIntegers } from "../support/data.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { withLimits } from "../support/smallDevice.js";
import { onBindings } from "../support/smallEngine.js";

const KIB = 2 ** 10;

/** Tensors of 32 KiB, of which these devices bind half. */
const SHAPES = { input: [2, 8, 16, 32], weight: [8, 8, 1, 1] };
const X = smallIntegers(new Random(1), 2 * 8 * 16 * 32);
const W = smallIntegers(new Random(2), 64);
const EXPECTED = [...forward(makeProblem(2, SHAPES.input, SHAPES.weight), X, W)];

async function run(engine: Engine): Promise<number[]> {
  using x = engine.tensor(X, SHAPES.input);
  using w = engine.tensor(W, SHAPES.weight);
  using y = engine.conv2d(x, w);
  return [...(await y.data())];
}

/** Tensors of 32 and 36 KiB. Winograd's scratch memory has 128, an unfolded image 288. */
const SQUARE = { input: [1, 32, 16, 16], weight: [32, 32, 3, 3] };
const PADDED = { padding: 1 };

describe("tuning of what runs in pieces", () => {
  gpuTest("on demand: candidates run in pieces, and the winner from then on", async ({ engine }) => {
    await onBindings(engine, 16 * KIB, async (small) => {
      const { solver, config } = small.explain("conv2d", SHAPES);
      const { model, winner, candidates } = await small.tuning.tune("conv2d", SHAPES);
      expect(model).toEqual({ name: solver, config });
      expect(candidates[0]).toMatchObject(model);
      expect(candidates.filter(({ setAside }) => setAside !== undefined)).toEqual([]);
      expect(candidates.length).toBeGreaterThan(1);
      const explanation = small.explain("conv2d", SHAPES);
      expect(explanation).toMatchObject({ chosenBy: "tuning", solver: winner?.name, config: winner?.config });
      expect(explanation.pieces?.count).toBeGreaterThan(1);
      expect(await run(small)).toEqual(EXPECTED);
    });
  });

  for (const mode of ["first-use", "background"] as const) {
    gpuTest(`by itself: ${mode}`, async ({ engine }) => {
      const { device, violations } = withLimits(deviceOf(engine), { maxStorageBufferBindingSize: 16 * KIB });
      using small = await createEngine({ device, tune: mode });
      expect(await run(small)).toEqual(EXPECTED);
      await small.finish();
      await expect.poll(() => small.tuning.export().entries.length, { timeout: 60_000 }).toBe(1);
      expect(small.explain("conv2d", SHAPES).chosenBy).toBe("tuning");
      expect(await run(small)).toEqual(EXPECTED);
      expect(violations).toEqual([]);
    });
  }

  gpuTest(
    "begins with what the engine would choose, though its scratch memory is beyond a binding",
    async ({ engine }) => {
      await onBindings(engine, 34 * KIB, async (small) => {
        const { solver, config, pieces } = small.explain("conv2dWeightGradient", SQUARE, PADDED);
        expect(solver).toBe("winograd");
        expect(pieces?.count).toBeGreaterThan(1);
        const { model, candidates, winner } = await small.tuning.tune("conv2dWeightGradient", SQUARE, PADDED);
        expect(model).toEqual({ name: solver, config });
        expect(candidates[0]).toMatchObject(model);
        expect(candidates[0].setAside).toBeUndefined();
        expect(small.explain("conv2dWeightGradient", SQUARE, PADDED)).toMatchObject({
          chosenBy: "tuning",
          solver: winner?.name,
        });
      });
    },
  );

  gpuTest("a choice without pieces that are small enough gives way to the model's", async ({ engine }) => {
    await onBindings(engine, 96 * KIB, async (small, { device }) => {
      const shapes = { input: [1, 64, 32, 32], weight: [64, 64, 3, 3] };
      const tuned = { solver: "winograd", config: { tile: 4 } };
      const named = { ...PADDED, solver: { name: tuned.solver, config: tuned.config } };
      expect(small.explain("conv2d", shapes, named).limit).toMatch(/no smaller pieces can be/);
      const operation = plainOperation("forward", makeProblem(2, shapes.input, shapes.weight, PADDED), {
        dtype: "float32",
      });
      const entry = {
        adapter: adapterKey(small.adapter, readCapabilities(device)),
        problem: bucketOf(operation),
        milliseconds: 1,
        modelMilliseconds: 2,
        measuredAt: Date.now(),
        ...tuned,
      };
      // The engine's own choice would be Winograd's tiles, if their scratch memory had pieces.
      const byModel = small.explain("conv2d", shapes, PADDED);
      expect(byModel.solver).not.toBe("winograd");
      const reasons = Object.fromEntries(byModel.refused.map(({ solver, reason }) => [solver, reason]));
      expect(reasons.winograd).toMatch(/scratch memory/);
      small.tuning.import({ ...small.tuning.export(), entries: [entry] });
      const { solver, pieces, limit } = small.explain("conv2d", shapes, PADDED);
      expect(limit).toBeUndefined();
      expect({ solver, pieces }).toEqual({ solver: byModel.solver, pieces: byModel.pieces });
      await Promise.resolve();
    });
  });
});

describe("a solver that is named, and whose scratch memory is beyond a binding", () => {
  const x = reals(new Random(3), 32 * 16 * 16);
  const w = reals(new Random(4), 32 * 32 * 9);
  for (const solver of ["winograd", "vector-tile"]) {
    gpuTest(`runs in pieces: ${solver}`, async ({ engine }) => {
      const runNamed = async (one: Engine): Promise<Float32Array> => {
        using input = one.tensor(x, SQUARE.input);
        using weight = one.tensor(w, SQUARE.weight);
        using y = one.conv2d(input, weight, { ...PADDED, solver });
        return await y.data();
      };
      const wanted = await runNamed(engine);
      await onBindings(engine, 100 * KIB, async (small) => {
        const explanation = small.explain("conv2d", SQUARE, { ...PADDED, solver });
        expect(explanation).toMatchObject({ solver, chosenBy: "caller", limit: undefined });
        expect(explanation.pieces?.count).toBeGreaterThan(1);
        expect(await runNamed(small)).toEqual(wanted);
      });
    });
  }

  gpuTest("is still refused for any other reason, with that", async ({ engine }) => {
    await onBindings(engine, 100 * KIB, async (small) => {
      const explain = (solver: string) => () => small.explain("conv2d", SHAPES, { solver });
      expect(explain("winograd")).toThrow(SolverError);
      expect(explain("winograd")).toThrow("solver winograd refuses: the filter is 1x1; Winograd takes 3x3 and 5x5");
      expect(explain("fft")).toThrow(/^there is no solver "fft" for forward/);
      await Promise.resolve();
    });
  });
});
