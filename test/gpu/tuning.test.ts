/** `engine.tuning`: candidates raced, the winner used, stored and handed on, nobody else disturbed. Trials: trials.test.ts. */
import { DeviceError, type Engine, memoryStore, type TuningData } from "webgpu-conv";
import { forward, makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { Random, smallIntegers } from "../support/data.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";

const INPUT = [1, 8, 6, 6];
const WEIGHT = [8, 8, 1, 1];
const SHAPES = { input: INPUT, weight: WEIGHT };
const X = smallIntegers(new Random(1), 288);
const W = smallIntegers(new Random(2), 64);
const EXPECTED = [...forward(makeProblem(2, INPUT, WEIGHT), X, W)];

async function run(engine: Engine): Promise<number[]> {
  using x = engine.tensor(X, INPUT);
  using w = engine.tensor(W, WEIGHT);
  using y = engine.conv2d(x, w);
  return [...(await y.data())];
}

/** As exported, with another choice for everything in it. */
const rechosen = (data: TuningData, solver: string, config = {}): TuningData => ({
  ...data,
  entries: data.entries.map((entry) => ({ ...entry, solver, config })),
});

const older = (data: TuningData): TuningData => ({
  ...data,
  entries: data.entries.map((entry) => ({ ...entry, measuredAt: entry.measuredAt - 1 })),
});

describe("engine.tuning", () => {
  gpuTest("measures candidates on demand; the winner is used from then on", async ({ engine: shared }) => {
    using engine = await createEngine({ device: deviceOf(shared) });
    const before = engine.memory();
    const { model, winner, candidates } = await engine.tuning.tune("conv2d", SHAPES);
    expect(engine.memory()).toMatchObject({ liveBytes: before.liveBytes, liveTensors: 0 });
    expect(candidates.length).toBeGreaterThan(2);
    expect(candidates.filter(({ setAside }) => setAside !== undefined)).toEqual([]);
    expect(candidates[0]).toMatchObject(model);
    const times = candidates.map(({ milliseconds = Infinity }) => milliseconds);
    // The model's choice stays where nothing is clearly faster.
    const [modelTime] = times;
    const least = Math.min(...times);
    expect(winner?.milliseconds).toBe(least > 0.95 * modelTime ? modelTime : least);
    const explanation = engine.explain("conv2d", SHAPES);
    expect(explanation).toMatchObject({ chosenBy: "tuning", solver: winner?.name, config: winner?.config });
    expect(String(explanation)).toMatch(/^solver .*, tuned$/m);
    expect(engine.explain("conv2d", SHAPES, { solver: "direct" }).chosenBy).toBe("caller");
    expect(await run(engine)).toEqual(EXPECTED);
    engine.tuning.clear();
    expect(engine.explain("conv2d", SHAPES).chosenBy).toBe("model");
  });

  gpuTest("on first use changes no result, and is done when finish is", async ({ engine: shared }) => {
    const store = memoryStore();
    using engine = await createEngine({ device: deviceOf(shared), tune: "first-use", tuningStore: store });
    expect(await run(engine)).toEqual(EXPECTED);
    await engine.finish();
    expect(engine.tuning.export().entries).toHaveLength(1);
    expect(engine.explain("conv2d", SHAPES).chosenBy).toBe("tuning");
    expect(await run(engine)).toEqual(EXPECTED);
    // The next visit has it from the store.
    using next = await createEngine({ device: deviceOf(shared), tuningStore: store });
    expect(next.explain("conv2d", SHAPES).chosenBy).toBe("tuning");
    expect(await run(next)).toEqual(EXPECTED);
  });

  gpuTest("in the background waits until there is nothing else to do", async ({ engine: shared }) => {
    using engine = await createEngine({ device: deviceOf(shared), tune: "background" });
    expect(await run(engine)).toEqual(EXPECTED);
    await engine.finish();
    expect(engine.tuning.export().entries).toEqual([]);
    await expect.poll(() => engine.tuning.export().entries.length, { timeout: 60_000 }).toBe(1);
  });

  gpuTest(
    "passes between engines; a choice that an operation cannot use falls back to the model's",
    async ({ engine: shared }) => {
      const warnings: string[] = [];
      const onWarning = (message: string) => void warnings.push(message);
      using engine = await createEngine({ device: deviceOf(shared), onWarning });
      await engine.tuning.tune("conv2d", SHAPES);
      const data = engine.tuning.export();
      using other = await createEngine({ device: deviceOf(shared), onWarning });
      other.tuning.import(JSON.parse(JSON.stringify(rechosen(data, "direct"))));
      expect(other.explain("conv2d", SHAPES)).toMatchObject({ solver: "direct", chosenBy: "tuning" });
      expect(await run(other)).toEqual(EXPECTED);
      // Older ones change nothing.
      other.tuning.import(older(data));
      expect(other.explain("conv2d", SHAPES).solver).toBe("direct");
      other.tuning.clear();
      other.tuning.import(rechosen(data, "winograd", { tile: 2 }));
      expect(other.explain("conv2d", SHAPES).chosenBy).toBe("model");
      expect(await run(other)).toEqual(EXPECTED);
      other.tuning.clear();
      other.tuning.import(rechosen(data, "register-tile", { threads: 64, mPerThread: 64, nPerThread: 64 }));
      expect(other.explain("conv2d", SHAPES).chosenBy).toBe("model");
      other.tuning.import({ ...data, revision: -1 });
      other.tuning.import("nonsense");
      expect(warnings).toEqual([
        expect.stringMatching(/^imported tuning is ignored: it is of version \S+, revision -1; this is /),
        "imported tuning is ignored: it is no tuning data",
      ]);
    },
  );

  gpuTest("ignores a store that is broken, with one warning", async ({ engine: shared }) => {
    const warnings: string[] = [];
    const tuningStore = {
      load: () => Promise.reject(new Error("no disk")),
      save: () => Promise.reject(new Error("full")),
    };
    const onWarning = (message: string) => void warnings.push(message);
    using engine = await createEngine({ device: deviceOf(shared), tuningStore, onWarning });
    expect(warnings).toEqual(["stored tuning is ignored: Error: no disk"]);
    await engine.tuning.tune("conv2d", SHAPES);
    expect(await run(engine)).toEqual(EXPECTED);
    await expect.poll(() => warnings.slice(1)).toEqual(["tuning could not be stored: Error: full"]);
  });

  gpuTest(
    "asks a store for one save at a time, and survives one that throws or promises nothing",
    async ({ engine }) => {
      const warnings: string[] = [];
      const onWarning = (message: string) => void warnings.push(message);
      let saves = 0;
      const tuningStore = {
        load: () => undefined as never,
        save: () => {
          if (++saves === 1) throw new Error("thrown");
          return undefined as never;
        },
      };
      using tuned = await createEngine({ device: deviceOf(engine), tuningStore, onWarning, vetKernels: false });
      await tuned.tuning.tune("conv2d", SHAPES);
      await expect.poll(() => warnings).toEqual(["tuning could not be stored: Error: thrown"]);
      await tuned.tuning.tune("conv2d", SHAPES);
      await expect.poll(() => saves).toBe(2);
      expect(warnings).toHaveLength(1);
    },
  );

  gpuTest("keeps no more choices than it documents, with a warning", async ({ engine }) => {
    const warnings: string[] = [];
    const onWarning = (message: string) => void warnings.push(message);
    using tuned = await createEngine({ device: deviceOf(engine), onWarning });
    await tuned.tuning.tune("conv2d", SHAPES);
    const data = tuned.tuning.export();
    const [own] = data.entries;
    const others = Array.from({ length: 20_000 }, (_, i) => ({ ...own, problem: String(i) }));
    tuned.tuning.import({ ...data, entries: others });
    expect(tuned.tuning.export().entries).toHaveLength(10_000);
    expect(tuned.tuning.export().entries[0]).toEqual(own);
    expect(warnings).toEqual([
      "imported tuning is ignored: of its 20000 entries the first 10000 are read",
      "imported tuning is ignored: 1 entries beyond 10000",
    ]);
  });

  gpuTest("ends when the engine does, quietly", async ({ engine: shared }) => {
    const warnings: string[] = [];
    const engine = await createEngine({
      device: deviceOf(shared),
      tune: "first-use",
      onWarning: (message) => void warnings.push(message),
    });
    await run(engine);
    const tuning = engine.tuning.tune("conv2d", { input: [1, 8, 9, 9], weight: WEIGHT });
    engine.dispose();
    await expect(tuning).rejects.toThrow(DeviceError);
    expect(warnings).toEqual([]);
  });

  gpuTest("says so on the CPU, and runs there as ever", async () => {
    using cpu = await createEngine({ backend: "cpu", tune: "first-use" });
    expect(await run(cpu)).toEqual(EXPECTED);
    await cpu.finish();
    await expect(cpu.tuning.tune("conv2d", SHAPES)).rejects.toThrow(DeviceError);
    await expect(createEngine({ tune: "always" as never })).rejects.toThrow(/^tune is "always"; expected "off"/);
  });
});
