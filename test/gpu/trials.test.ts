/** Trials on a device: which candidates are set aside, how many samples are taken, and what failures do to tuning. */
import { DeviceError } from "webgpu-conv";
import { makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { plainOperation } from "../../src/calls/calls.js";
import { GpuBackend } from "../../src/gpu/gpuBackend.js";
import { tryOut } from "../../src/tuner/trial.js";
import { Tuning } from "../../src/tuner/tuning.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";

const INPUT = [1, 8, 6, 6];
const WEIGHT = [8, 8, 1, 1];
const SHAPES = { input: INPUT, weight: WEIGHT };

/** A device on which everything takes five milliseconds: a page's clock goes in steps, in which a short run may take none. */
class SteadyClock extends GpuBackend {
  constructor(device: GPUDevice) {
    super(device, { ownsDevice: false, poolBytes: 2 ** 20, poison: false });
  }

  override async time(record: () => void): ReturnType<GpuBackend["time"]> {
    return { ...(await super.time(record)), milliseconds: 5, clock: "timestamp" };
  }
}

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
