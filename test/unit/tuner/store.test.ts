/** What is believed of a store. */
import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fileStore } from "../../../src/node/fileStore.js";
import { memoryStore, MOST_ENTRIES, readTuningData, tuningData, type TuningEntry } from "../../../src/tuner/store.js";

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
