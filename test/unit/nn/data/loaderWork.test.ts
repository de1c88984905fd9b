/** What a loader does while batches are made: how far ahead, the event loop's turns, late samples, and bad ones, which name themselves. */
import { describe, expect, test } from "vitest";
import { DataLoader, type Sample } from "webgpu-conv/nn";
import { epoch, numbered, upTo } from "../../../support/nn/numbered.js";

describe("while batches are made", () => {
  test("no more are made ahead than asked for, and none before the first is wanted", async () => {
    const asked: number[] = [];
    const dataset = numbered(20, (index) => {
      asked.push(index);
      return { x: Float32Array.of(index), label: index };
    });
    const loader = new DataLoader(dataset, { batchSize: 2, shuffle: false, prefetch: 2 });
    const iteration = loader[Symbol.asyncIterator]();
    expect(asked).toEqual([]);
    await iteration.next();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(asked).toEqual(upTo(6));
    await iteration.next();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(asked).toEqual(upTo(8));
  });

  test("the event loop gets a turn after every 8 milliseconds' samples", async () => {
    const busy = (milliseconds: number): void => {
      const end = performance.now() + milliseconds;
      while (performance.now() < end);
    };
    const dataset = numbered(40, (index) => {
      busy(3);
      return { x: Float32Array.of(index), label: index };
    });
    let turns = 0;
    let ended = false;
    const turn = (): void => {
      turns++;
      if (!ended) setImmediate(turn);
    };
    setImmediate(turn);
    await epoch(new DataLoader(dataset, { batchSize: 40, prefetch: 0 }));
    ended = true;
    // 120 ms of work in slices of 8 ms and a sample.
    expect(turns).toBeGreaterThan(8);
  });

  test("samples may come late, and in any order", async () => {
    const dataset = numbered(9, async (index) => {
      await new Promise((resolve) => setTimeout(resolve, (index * 7) % 5));
      return { x: Float32Array.of(index), label: index };
    });
    const batches = await epoch(new DataLoader(dataset, { batchSize: 4, shuffle: false }));
    expect(batches.map(({ x }) => [...x])).toEqual([[0, 1, 2, 3], [4, 5, 6, 7], [8]]);
  });

  test("a sample that fails fails its batch alone, when that is due, and the loader stays there", async () => {
    const broken = new Set([5]);
    const dataset = numbered(8, async (index) => {
      await Promise.resolve();
      if (broken.has(index)) throw new Error(`sample ${String(index)} is broken`);
      return { x: Float32Array.of(index), label: index };
    });
    const loader = new DataLoader(dataset, { batchSize: 2, shuffle: false });
    const seen: number[] = [];
    const run = async (): Promise<void> => {
      for await (const { indices } of loader) seen.push(...indices);
    };
    await expect(run()).rejects.toThrow("sample 5 is broken");
    expect(seen).toEqual([0, 1, 2, 3]);
    broken.clear();
    await run();
    expect(seen).toEqual(upTo(8));
  });

  test.each([
    [{ x: new Float32Array(2), label: 0 }, "sample 3 has 2 values; expected a Float32Array of 1 x 1 x 1 = 1"],
    [{ x: [1], label: 0 }, "sample 3 has x [1]; expected a Float32Array of 1 x 1 x 1 = 1"],
    [undefined, "sample 3 is undefined; expected { x, label }"],
    [null, "sample 3 is null"],
    [5, "sample 3 is 5"],
    [{ label: 0 }, "sample 3 has x undefined; expected a Float32Array"],
    [{ x: new Float32Array(1), label: 8 }, "sample 3 has label 8; expected 0 to 7, of 8 classes"],
    [{ x: new Float32Array(1), label: -1 }, "sample 3 has label -1"],
    [{ x: new Float32Array(1), label: 0.5 }, "sample 3 has label 0.5"],
  ])("a sample like %j is refused", async (wrong, message) => {
    const dataset = numbered(8, (index) =>
      index === 3 ? (wrong as Sample) : { x: Float32Array.of(index), label: index },
    );
    await expect(epoch(new DataLoader(dataset, { batchSize: 8 }))).rejects.toThrow(message);
    const late = numbered(8, async (index) => await Promise.resolve(dataset.get(index)));
    await expect(epoch(new DataLoader(late, { batchSize: 8 }))).rejects.toThrow(message);
  });
});
