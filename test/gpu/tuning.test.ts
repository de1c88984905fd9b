/** Tuning on a device: candidates checked and raced, the winner used, nobody else disturbed. */
import { DeviceError, type Engine, memoryStore, type TuningData } from "webgpu-conv";
import { forward, makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { plainOperation } from "../../src/calls/calls.js";
import { GpuBackend } from "../../src/gpu/gpuBackend.js";
import { tryOut } from "../../src/tuner/trial.js";
import { Tuning } from "../../src/tuner/tuning.js";
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

/** A device on which everything takes five milliseconds: a page's clock goes in steps, in which a short run may take none. */
class SteadyClock extends GpuBackend {
  constructor(device: GPUDevice) {
    super(device, { ownsDevice: false, poolBytes: 2 ** 20, poison: false });
  }

  override async time(record: () => void): ReturnType<GpuBackend["time"]> {
    return { ...(await super.time(record)), milliseconds: 5, clock: "timestamp" };
  }
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
      using tuned = await createEngine({ device: deviceOf(engine), tuningStore, onWarning });
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

describe("a trial sets aside", () => {
  const operation = plainOperation("forward", makeProblem(2, INPUT, WEIGHT), { dtype: "float32" });
  const options = { rounds: 1, sliceMilliseconds: 50, mostBytes: 2 ** 20, pause: () => Promise.resolve() };
  const good = { name: "direct", config: {} };

  /** A device on which register tiles compute something else. */
  class WrongTiles extends SteadyClock {
    override run(...[asked, operands, choice]: Parameters<GpuBackend["run"]>): ReturnType<GpuBackend["run"]> {
      const wrong = typeof choice === "object" && choice.name === "register-tile";
      return super.run(wrong ? { ...asked, activation: { name: "relu" } } : asked, operands, choice);
    }
  }

  gpuTest("a candidate whose results are wrong, and one that cannot run", async ({ engine }) => {
    const backend = new WrongTiles(deviceOf(engine));
    const tile = { name: "register-tile", config: { threads: 64, mPerThread: 4, nPerThread: 4 } };
    const ways = [good, tile, { name: "winograd", config: { tile: 2 } }];
    const { verdicts } = await tryOut(backend, operation, options, ways);
    expect(verdicts[0].milliseconds).toBe(5);
    expect(verdicts[1].setAside).toMatch(/^element \d+ is 0; the general solver gives -\d+$/);
    expect(verdicts[2].setAside).toMatch(/^SolverError: solver winograd refuses/);
    expect(verdicts.slice(1).map(({ milliseconds }) => milliseconds)).toEqual([undefined, undefined]);
    expect(backend.memory().liveBytes).toBe(0);
    backend.dispose();
  });

  gpuTest("a candidate that runs the same as an earlier one", async ({ engine }) => {
    const backend = new SteadyClock(deviceOf(engine));
    const depthwise = makeProblem(2, INPUT, [8, 1, 3, 3], { padding: 1, groups: 8 });
    const layer = plainOperation("forward", depthwise, { dtype: "float32" });
    // Planes have 6 rows.
    const ways = [64, 32, 4].map((rows) => {
      return { name: "rolling-window", config: { mPerThread: 1, columns: 2, rows } };
    });
    const { verdicts } = await tryOut(backend, layer, options, ways);
    expect(verdicts.map(({ setAside }) => setAside)).toEqual([
      undefined,
      'it runs the same as rolling-window {"mPerThread":1,"columns":2,"rows":64}',
      undefined,
    ]);
    expect(verdicts.map(({ milliseconds }) => milliseconds)).toEqual([5, undefined, 5]);
    backend.dispose();
  });

  gpuTest("everything, where tensors would take too much memory", async ({ engine }) => {
    const backend = new SteadyClock(deviceOf(engine));
    const { verdicts } = await tryOut(backend, operation, { ...options, mostBytes: 100 }, [good]);
    expect(verdicts).toEqual([]);
    backend.dispose();
  });

  gpuTest("a candidate whose scratch memory would take too much", async ({ engine }) => {
    const backend = new SteadyClock(deviceOf(engine));
    const padded = makeProblem(2, INPUT, [8, 8, 3, 3], { padding: 1 });
    const layer = plainOperation("forward", padded, { dtype: "float32" });
    // Operands and results take 4,608 bytes, Winograd's transforms 4 times as much.
    const ways = [good, { name: "winograd", config: { tile: 2 } }];
    const { verdicts } = await tryOut(backend, layer, { ...options, mostBytes: 8192 }, ways);
    expect(verdicts[0].milliseconds).toBe(5);
    expect(verdicts[1].setAside).toMatch(/^it takes \d+ bytes; a trial may take 8192$/);
    backend.dispose();
  });
});

gpuTest("what went wrong before is the caller's to hear of, and no trial's", async ({ engine }) => {
  const backend = new SteadyClock(deviceOf(engine));
  backend.report(new DeviceError("of the caller's own work"));
  const tuning = new Tuning(backend, { mode: "off", store: undefined, warn: () => undefined });
  const { candidates } = await tuning.tune("conv2d", SHAPES);
  expect(candidates.length).toBeGreaterThan(1);
  expect(candidates.filter(({ setAside }) => setAside !== undefined)).toEqual([]);
  await expect(backend.finish()).rejects.toThrow("of the caller's own work");
  await backend.finish();
  backend.dispose();
});

/** A device without room for anything. */
class NoRoom extends SteadyClock {
  override upload(): never {
    throw new DeviceError("there is no room");
  }
}

gpuTest("tuning that fails again and again stops by itself, and goes on for who asks", async ({ engine }) => {
  const backend = new NoRoom(deviceOf(engine));
  const warnings: string[] = [];
  const tuning = new Tuning(backend, {
    mode: "first-use",
    store: undefined,
    warn: (warning) => warnings.push(warning),
  });
  for (let size = 4; size < 9; size++) {
    tuning.use(plainOperation("forward", makeProblem(2, [1, 8, size, size], WEIGHT), { dtype: "float32" }));
  }
  await tuning.settled();
  expect(warnings.length).toBe(3);
  await expect(tuning.tune("conv2d", SHAPES)).rejects.toThrow("there is no room");
  backend.dispose();
});

describe("a trial takes fewer samples", () => {
  const BATCH = 12;
  const operation = plainOperation("forward", makeProblem(2, [BATCH, ...INPUT.slice(1)], WEIGHT), { dtype: "float32" });
  const options = { rounds: 1, sliceMilliseconds: 1e9, mostBytes: 2 ** 20, pause: () => Promise.resolve() };
  const ways = [
    { name: "direct", config: {} },
    { name: "register-tile", config: { threads: 64, mPerThread: 4, nPerThread: 4 } },
  ];
  // Weights, and each sample's input and output.
  const bytesOf = (samples: number): number => 4 * (64 + samples * 2 * 288);

  gpuTest("where all would take too much memory, or too long", async ({ engine }) => {
    const backend = new SteadyClock(deviceOf(engine));
    for (const [limits, samples] of [
      [{}, BATCH],
      [{ mostBytes: bytesOf(6) }, 6],
      [{ mostBytes: bytesOf(6) - 1 }, 3],
      // The general solver is expected to take 20 times as long.
      [{ sliceMilliseconds: 500 }, 5],
      [{ sliceMilliseconds: 1 }, 1],
    ] as const) {
      const { batch, verdicts } = await tryOut(backend, operation, { ...options, ...limits }, ways);
      expect(batch).toBe(samples);
      expect(verdicts.map(({ setAside }) => setAside)).toEqual([undefined, undefined]);
    }
    expect(backend.memory().liveBytes).toBe(0);
    backend.dispose();
  });
});
