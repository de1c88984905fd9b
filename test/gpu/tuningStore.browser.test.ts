/** Tuned choices in the browser's IndexedDB. */
import { indexedDbStore, type TuningData } from "webgpu-conv";
import { expect, test } from "vitest";

const data = (problem: string): TuningData => ({
  format: "webgpu-conv tuning",
  engine: "0.1.0",
  revision: 1,
  entries: [
    { adapter: "a", problem, solver: "direct", config: {}, milliseconds: 1, modelMilliseconds: 1, measuredAt: 1 },
  ],
});

test("keeps what was saved last, by the name of its database", async () => {
  const name = `webgpu-conv test ${String(Math.random())}`;
  expect(await indexedDbStore(name).load()).toBeUndefined();
  await indexedDbStore(name).save(data("first"));
  await indexedDbStore(name).save(data("second"));
  expect(await indexedDbStore(name).load()).toEqual(data("second"));
  expect(await indexedDbStore(`${name} other`).load()).toBeUndefined();
  indexedDB.deleteDatabase(name);
  indexedDB.deleteDatabase(`${name} other`);
});

const settled = (request: IDBOpenDBRequest): Promise<IDBDatabase> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("failed"));
  });

test("takes saves at once, and the last one stays", async () => {
  const name = `webgpu-conv test ${String(Math.random())}`;
  const store = indexedDbStore(name);
  await Promise.all(Array.from({ length: 30 }, (_, i) => store.save(data(String(i)))));
  expect(await store.load()).toEqual(data("29"));
  // Deleted meanwhile, it is made anew.
  await Promise.all([store.save(data("once more")), settled(indexedDB.deleteDatabase(name))]);
  await store.save(data("again"));
  expect(await store.load()).toEqual(data("again"));
  indexedDB.deleteDatabase(name);
});

test("rejects, and does not wait for ever, where the database is another's", async () => {
  const name = `webgpu-conv test ${String(Math.random())}`;
  const other = await settled(indexedDB.open(name, 1));
  await expect(indexedDbStore(name).load()).rejects.toThrow();
  await expect(indexedDbStore(name).save(data("a"))).rejects.toThrow();
  other.close();
  const newer = await settled(indexedDB.open(name, 2));
  await expect(indexedDbStore(name).load()).rejects.toThrow();
  newer.close();
  indexedDB.deleteDatabase(name);
});
