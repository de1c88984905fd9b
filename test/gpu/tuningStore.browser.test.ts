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
