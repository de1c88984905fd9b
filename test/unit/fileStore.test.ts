/** Tuned choices in a file: saves at once, from one process and from several, never fail and never leave half a file. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fileStore } from "../../src/node/fileStore.js";
import { oneAtATime } from "../../src/tuner/queue.js";
import { tuningData, type TuningData, type TuningEntry } from "../../src/tuner/store.js";

const ENTRY: TuningEntry = {
  adapter: "device",
  problem: "bucket",
  solver: "register-tile",
  config: { mPerThread: 4 },
  milliseconds: 1,
  modelMilliseconds: 2,
  measuredAt: 3,
};

/** Data that tells which it is, long enough to take more than one write. */
const numbered = (number: number): TuningData =>
  tuningData(Array.from({ length: 300 }, () => ({ ...ENTRY, milliseconds: number })));

const numberOf = (data: unknown): number => (data as TuningData).entries[0].milliseconds;

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "webgpu-conv-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

describe("a file store", () => {
  test("takes saves at once; what is on disk when one is done is its data or newer, and at the end the last", async () => {
    const file = join(folder, "one.json");
    const store = fileStore(file);
    const saves = Array.from({ length: 40 }, async (_, number) => {
      await store.save(numbered(number));
      expect(numberOf(JSON.parse(await readFile(file, "utf8")))).toBeGreaterThanOrEqual(number);
    });
    await Promise.all(saves);
    expect(await store.load()).toEqual(numbered(39));
  });

  test("takes the data as it is at the call", async () => {
    const store = fileStore(join(folder, "taken.json"));
    const entries = [{ ...ENTRY }];
    const saving = store.save(tuningData(entries));
    entries.push({ ...ENTRY, problem: "later" });
    await saving;
    expect(await store.load()).toEqual(tuningData([ENTRY]));
  });

  test("shares its file with others", async () => {
    const file = join(folder, "shared.json");
    const stores = Array.from({ length: 8 }, () => fileStore(file));
    await Promise.all(stores.flatMap((store, i) => [store.save(numbered(i)), store.save(numbered(i))]));
    expect(numberOf(await stores[0].load())).toBeLessThan(8);
  });

  test("shares it with other processes, whose readers never see half of it", async () => {
    const file = join(folder, "processes.json");
    const dist = pathToFileURL(join(import.meta.dirname, "../../dist/node.js")).href;
    const script = `
      import { fileStore } from ${JSON.stringify(dist)};
      const store = fileStore(${JSON.stringify(file)});
      const data = ${JSON.stringify(numbered(0))};
      for (let round = 0; round < 10; round++) {
        await Promise.all(Array.from({ length: 8 }, () => store.save(data)));
        const { entries } = await store.load();
        if (entries.length !== 300) process.exit(2);
      }`;
    const codes = Array.from({ length: 3 }, async () => {
      const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "inherit" });
      const [code] = (await once(child, "exit")) as [number | null];
      return code;
    });
    expect(await Promise.all(codes)).toEqual([0, 0, 0]);
    expect(await fileStore(file).load()).toEqual(numbered(0));
  }, 60_000);

  test("leaves nothing beside it, even where it fails; and the next save is tried again", async () => {
    const place = join(folder, "failing");
    await mkdir(join(place, "is a folder"), { recursive: true });
    const store = fileStore(join(place, "is a folder"));
    const saves = [store.save(numbered(1)), store.save(numbered(2)), store.save(numbered(3))];
    expect((await Promise.allSettled(saves)).map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    expect(await readdir(place)).toEqual(["is a folder"]);
    await rm(join(place, "is a folder"), { recursive: true });
    await store.save(numbered(4));
    expect(numberOf(await store.load())).toBe(4);
    expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("reads no file that is larger than what it could have written", async () => {
    const file = join(folder, "large.json");
    await writeFile(file, "");
    await truncate(file, 2 ** 30);
    await expect(fileStore(file).load()).rejects.toThrow(/large\.json has 1073741824 bytes; expected at most/);
  });
});

describe("saves one at a time", () => {
  test("what waits is the newest, on behalf of all", async () => {
    const log: string[] = [];
    const save = oneAtATime(async (data: number) => {
      log.push(`begin ${String(data)}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
      log.push(`end ${String(data)}`);
      if (data === 5) throw new Error("full");
    });
    const first = save(1);
    await Promise.resolve();
    const others = [save(2), save(3), save(4)];
    await Promise.all([first, ...others]);
    await expect(save(5)).rejects.toThrow("full");
    await save(6);
    expect(log).toEqual(["begin 1", "end 1", "begin 4", "end 4", "begin 5", "end 5", "begin 6", "end 6"]);
  });
});
