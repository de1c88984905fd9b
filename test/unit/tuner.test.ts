/** Tuning without a device: what is measured and how often, what is kept by, and what is believed of a store. */
import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeProblem } from "webgpu-conv/reference";
import { plainOperation } from "../../src/calls/calls.js";
import { type Capabilities, DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import { fileStore } from "../../src/node/fileStore.js";
import { DIRECTIONS } from "../../src/problem/operation.js";
import { select } from "../../src/solvers/select.js";
import { candidatesFor, modelChoice, MOST_CANDIDATES } from "../../src/tuner/candidates.js";
import { isSame, ownCandidate } from "../../src/tuner/ownCandidate.js";
import { adapterKey, bucketSize, bucketOf } from "../../src/tuner/key.js";
import { race } from "../../src/tuner/race.js";
import { memoryStore, MOST_ENTRIES, readTuningData, tuningData, type TuningEntry } from "../../src/tuner/store.js";

const SOFTWARE: Capabilities = { ...DEFAULT_CAPABILITIES, deviceClass: "software", subgroupLanes: 8 };

const layer = (channels: number, size: number, options = {}) =>
  plainOperation("forward", makeProblem(2, [1, channels, size, size], [64, channels, 3, 3], options), {
    dtype: "float32",
  });

describe("candidates", () => {
  test.each(DIRECTIONS)("of %s are few, different, and the model's choice comes first", (direction) => {
    const problem = makeProblem(2, [2, 64, 28, 28], [64, 64, 3, 3], { padding: 1 });
    for (const capabilities of [DEFAULT_CAPABILITIES, SOFTWARE]) {
      const operation = plainOperation(direction, problem, { dtype: "float32" });
      const candidates = candidatesFor(operation, capabilities);
      expect(candidates.length).toBeLessThanOrEqual(MOST_CANDIDATES);
      expect(candidates[0]).toEqual(modelChoice(operation, capabilities));
      for (const [i, one] of candidates.entries()) {
        expect(candidates.slice(i + 1).some((other) => isSame(one, other))).toBe(false);
        expect(() => select(operation, capabilities, one)).not.toThrow();
      }
    }
  });

  test("are of several solvers; in workgroup memory only where there is a GPU", () => {
    const names = (capabilities: Capabilities) =>
      new Set(candidatesFor(layer(64, 28), capabilities).map(({ name }) => name));
    expect([...names(DEFAULT_CAPABILITIES)]).toEqual(
      expect.arrayContaining(["winograd", "implicit-gemm", "register-tile"]),
    );
    expect([...names(SOFTWARE)]).toEqual(expect.arrayContaining(["winograd", "vector-tile", "register-tile"]));
    expect(names(SOFTWARE)).not.toContain("implicit-gemm");
    expect(names(SOFTWARE)).not.toContain("direct");
  });
});

describe("a choice that comes from elsewhere", () => {
  const operation = layer(64, 28);

  test("is taken where it is one of the solver's own candidates, in whatever order its constants come", () => {
    for (const candidate of candidatesFor(operation, SOFTWARE)) {
      expect(ownCandidate(operation, SOFTWARE, candidate)).toEqual(candidate);
      const turned = Object.fromEntries(Object.entries(candidate.config).reverse());
      expect(ownCandidate(operation, SOFTWARE, { ...candidate, config: turned })).toEqual(candidate);
    }
  });

  test.each([
    ["a tile that stalls the device", "register-tile", { threads: 64, mPerThread: 64, nPerThread: 64 }],
    ["one that is no candidate", "register-tile", { threads: 64, mPerThread: 7, nPerThread: 3 }],
    ["one with more constants", "register-tile", { threads: 64, mPerThread: 8, nPerThread: 8, splitK: 512 }],
    ["one with fewer", "register-tile", { threads: 64, mPerThread: 8 }],
    ["no solver", "nonsense", {}],
    ["another direction's", "channel-sum", {}],
    ["one that software devices never try", "implicit-gemm", candidateOf("implicit-gemm")],
    ["one that is refused here", "winograd", { tile: 8 }],
  ])("is not where it is %s", (_, name, config) => {
    expect(ownCandidate(operation, SOFTWARE, { name, config })).toBeUndefined();
  });

  function candidateOf(name: string) {
    const [{ config }] = candidatesFor(operation, DEFAULT_CAPABILITIES).filter((one) => one.name === name);
    expect(ownCandidate(operation, DEFAULT_CAPABILITIES, { name, config })).toBeDefined();
    return config;
  }
});

/** A device whose contenders take the given milliseconds a run, and that notes what was asked of it. */
function fakeDevice(costs: readonly number[]) {
  const log: (string | number)[] = [];
  const contenders = costs.map((cost, i) => ({
    run: (times: number) => {
      log.push(i);
      return Promise.resolve(cost * times);
    },
  }));
  const pause = () => {
    log.push("pause");
    return Promise.resolve();
  };
  return { contenders, log, options: { rounds: 7, sliceMilliseconds: 50, pause } };
}

describe("a race", () => {
  test("goes round by round, and those clearly slower leave after three", async () => {
    const { contenders, log, options } = fakeDevice([3, 4, 9]);
    const results = await race(contenders, options);
    expect(results.map(({ median }) => median)).toEqual([3, 4, 9]);
    expect(results.map(({ rounds }) => rounds)).toEqual([7, 7, 3]);
    expect(log.filter((entry) => entry !== "pause").slice(0, 11)).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1]);
  });

  test.each([0, 1, 2, 3])("is not lost by one sample that something disturbed (round %i)", async (disturbed) => {
    let round = 0;
    const better = { run: (times: number) => Promise.resolve(times * 2 * (round++ === disturbed ? 3 : 1)) };
    const worse = { run: (times: number) => Promise.resolve(times * 3.2) };
    const { options } = fakeDevice([]);
    const [first, second] = await race([better, worse], options);
    expect(first.rounds).toBe(7);
    expect(first.median).toBeLessThan(second.median);
  });

  test("goes on without a contender that fails, and ends with a pause that does", async () => {
    const { contenders, options } = fakeDevice([3, 4]);
    const failing = { run: () => Promise.reject(new Error("no")) };
    const results = await race([contenders[0], failing, contenders[1]], options);
    expect(results.map(({ failed }) => failed)).toEqual([undefined, "Error: no", undefined]);
    expect(results.map(({ rounds }) => rounds)).toEqual([7, 0, 7]);
    const stopped = { ...options, pause: () => Promise.reject(new Error("stopped")) };
    await expect(race(fakeDevice([30, 40]).contenders, stopped)).rejects.toThrow("stopped");
  });

  test("takes the device for no longer than 50 ms at once, but for one run that takes longer", async () => {
    for (const costs of [
      [20, 21],
      [0.3, 0.31, 0.32],
      [60, 70],
      [4, 24],
    ]) {
      const { contenders, log, options } = fakeDevice(costs);
      let slice = 0;
      let longest = 0;
      let total = 0;
      const watched = contenders.map(({ run }) => ({
        run: async (times: number) => {
          const took = await run(times);
          longest = Math.max(longest, slice > 0 ? slice + took : 0);
          slice += took;
          total += took;
          return took;
        },
      }));
      const pause = async () => {
        slice = 0;
        await options.pause();
      };
      await race(watched, { ...options, pause });
      // A contender's first run is not foreseen.
      expect(longest).toBeLessThanOrEqual(50 + Math.max(...costs));
      expect(log.includes("pause")).toBe(total > 50);
    }
  });

  test("repeats short runs until a clock can tell them apart, and takes a median", async () => {
    const asked: number[] = [];
    let sample = 0;
    const run = (times: number) => {
      asked.push(times);
      // One sample in three is disturbed.
      return Promise.resolve(times * (sample++ % 3 === 1 ? 0.9 : 0.1));
    };
    const [{ median }] = await race([{ run }], { rounds: 9, sliceMilliseconds: 50, pause: () => Promise.resolve() });
    expect(median).toBeCloseTo(0.1);
    expect(Math.max(...asked)).toBeGreaterThanOrEqual(10);
  });
});

describe("keys", () => {
  test("buckets end at powers of two and half way between them", () => {
    expect([1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 56, 64, 65].map(bucketSize)).toEqual([
      1, 2, 3, 4, 6, 6, 8, 12, 12, 16, 64, 64, 96,
    ]);
  });

  test("problems whose sizes are rounded alike share a bucket, others do not", () => {
    expect(bucketOf(layer(60, 28))).toBe(bucketOf(layer(64, 30)));
    const others = [
      layer(65, 28),
      layer(64, 33),
      layer(64, 28, { dilation: 2 }),
      layer(64, 28, { stride: 2 }),
      layer(64, 28, { padding: 1 }),
      { ...layer(64, 28), dtype: "float16" as const },
      { ...layer(64, 28), bias: true },
      { ...layer(64, 28), direction: "inputGradient" as const },
    ];
    expect(new Set([layer(64, 28), ...others].map(bucketOf)).size).toBe(1 + others.length);
  });

  test("a device is known by its name and by what planning reads of it", () => {
    const adapter = {
      description: "a",
      backend: "webgpu",
      software: false,
      vendor: "v",
      architecture: "x",
      features: [],
      maxTensorBytes: 1,
    } as const;
    const keys = [
      adapterKey(adapter, DEFAULT_CAPABILITIES),
      adapterKey({ ...adapter, description: "b" }, DEFAULT_CAPABILITIES),
      adapterKey(adapter, { ...DEFAULT_CAPABILITIES, subgroupLanes: 32 }),
      adapterKey(adapter, { ...DEFAULT_CAPABILITIES, deviceClass: "apple" }),
      adapterKey(adapter, { ...DEFAULT_CAPABILITIES, limits: { ...DEFAULT_CAPABILITIES.limits, maxBufferSize: 1 } }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(adapterKey({ ...adapter }, { ...DEFAULT_CAPABILITIES, classifiedBy: "by the caller" })).toBe(keys[0]);
  });
});

const ENTRY: TuningEntry = {
  adapter: "device",
  problem: "bucket",
  solver: "register-tile",
  config: { threads: 64, mPerThread: 4, nPerThread: 4 },
  milliseconds: 1,
  modelMilliseconds: 2,
  measuredAt: 3,
};

describe("what a store gives", () => {
  test("is believed when it is whole", () => {
    expect(readTuningData(JSON.parse(JSON.stringify(tuningData([ENTRY]))))).toEqual({ entries: [ENTRY] });
    expect(readTuningData(undefined)).toEqual({ entries: [] });
  });

  test.each([
    ["no tuning data", { hello: 1 }, 0, /^it is no tuning data$/],
    ["a number", 7, 0, /^it is no tuning data$/],
    [
      "another revision",
      { ...tuningData([ENTRY]), revision: 0 },
      0,
      /^it is of version \S+, revision 0; this is version/,
    ],
    [
      "another version",
      { ...tuningData([ENTRY]), engine: "0.0.1" },
      0,
      /^it is of version 0\.0\.1, revision \d+; this is/,
    ],
    ["a broken entry", tuningData([ENTRY, { ...ENTRY, solver: 1 as never }]), 1, /^1 of its 2 entries are broken$/],
    [
      "a broken constant",
      tuningData([{ ...ENTRY, config: { mPerThread: NaN } }]),
      0,
      /^1 of its 1 entries are broken$/,
    ],
    [
      "a solver that there is not",
      tuningData([ENTRY, { ...ENTRY, solver: "fft" }]),
      1,
      /^1 of its 2 entries are broken \(there is no solver "fft"\)$/,
    ],
    [
      "a knob that the solver lacks",
      tuningData([{ ...ENTRY, config: { ...ENTRY.config, tile: 4 } }]),
      0,
      /^1 of its 1 entries are broken \(the knob "tile" is unknown; register-tile has threads, mPerThread, nPerThread, splitK\)$/,
    ],
    [
      "a knob that is missing",
      tuningData([{ ...ENTRY, config: { threads: 64, nPerThread: 4 } }]),
      0,
      /^1 of its 1 entries are broken \(the knob "mPerThread" is missing; register-tile has threads, mPerThread, nPerThread, splitK\)$/,
    ],
    ["no entry", tuningData([null as never]), 0, /^1 of its 1 entries are broken$/],
    ["a negative time", tuningData([{ ...ENTRY, milliseconds: -1 }]), 0, /^1 of its 1 entries are broken$/],
    ["a time that is none", tuningData([{ ...ENTRY, measuredAt: NaN }]), 0, /^1 of its 1 entries are broken$/],
    ["a list of constants", tuningData([{ ...ENTRY, config: [1] as never }]), 0, /^1 of its 1 entries are broken$/],
    ["a long name", tuningData([{ ...ENTRY, adapter: "x".repeat(5000) }]), 0, /^1 of its 1 entries are broken$/],
    [
      "many constants",
      tuningData([{ ...ENTRY, config: Object.fromEntries(Array.from({ length: 100 }, (_, i) => [String(i), i])) }]),
      0,
      /^1 of its 1 entries are broken$/,
    ],
    ["holes", { ...tuningData([]), entries: new Array(3) }, 0, /^3 of its 3 entries are broken$/],
    ["a strange version", { ...tuningData([]), engine: Object.create(null) as never }, 0, /^it is of version object/],
  ])("is ignored, with the reason, where it is %s", (_, data, sound, reason) => {
    const { entries, ignored } = readTuningData(data);
    expect(entries).toHaveLength(sound);
    expect(ignored).toMatch(reason);
  });

  test("is read as far as the bound, at once", () => {
    const entries = new Array<TuningEntry>(1_000_000).fill(ENTRY);
    const begun = performance.now();
    const { entries: read, ignored } = readTuningData(tuningData(entries));
    expect(performance.now() - begun).toBeLessThan(1000);
    expect(read).toHaveLength(MOST_ENTRIES);
    expect(ignored).toBe("of its 1000000 entries the first 10000 are read");
  });

  test("is plain data: nothing of the future, no prototype, each part read once", () => {
    const config = JSON.parse('{ "tile": 4, "__proto__": 8 }') as TuningEntry["config"];
    const strange = { ...ENTRY, solver: "winograd", config };
    expect(readTuningData(tuningData([strange])).ignored).toMatch(/the knob "__proto__" is unknown; winograd has tile/);
    let reads = 0;
    const entry = {
      ...ENTRY,
      measuredAt: Number.MAX_VALUE,
      get milliseconds() {
        return ++reads === 1 ? 1 : NaN;
      },
    };
    const [read] = readTuningData(tuningData([entry])).entries;
    expect(reads).toBe(1);
    expect(read.measuredAt).toBeLessThanOrEqual(Date.now());
    expect(read.config).toEqual(ENTRY.config);
    expect(read.config).not.toBe(ENTRY.config);
  });

  test("is what was saved: in memory, and in a file that is replaced whole", async () => {
    const folder = await mkdtemp(join(tmpdir(), "webgpu-conv-"));
    const file = join(folder, "tuning.json");
    for (const store of [memoryStore(), fileStore(file)]) {
      expect(await store.load()).toBeUndefined();
      await store.save(tuningData([ENTRY]));
      await store.save(tuningData([ENTRY, { ...ENTRY, problem: "other" }]));
      expect(readTuningData(await store.load()).entries).toHaveLength(2);
    }
    expect(await readdir(folder)).toEqual(["tuning.json"]);
    expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ entries: [ENTRY, { problem: "other" }] });
    await writeFile(file, "{ half");
    await expect(fileStore(file).load()).rejects.toThrow(SyntaxError);
  });
});
