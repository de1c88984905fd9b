/** Batches: every sample once, seeded, resumed bit for bit; options that are refused. */
import { describe, expect, test } from "vitest";
import {
  type Batch,
  DataLoader,
  type DataLoaderOptions,
  type Dataset,
  glyphs,
  horizontalFlip,
  jitter,
  type LoaderState,
  randomCrop,
} from "webgpu-conv/nn";
import { epoch, numbered, upTo } from "../../../support/nn/numbered.js";

const indicesOf = (batches: readonly Batch[]): number[] => batches.flatMap(({ indices }) => [...indices]);
const AUGMENT = [randomCrop({ padding: 3 }), horizontalFlip(), jitter({ brightness: 0.3, contrast: 0.3 })];

describe("an epoch", () => {
  test("has every sample once, in the dataset's order where it is not shuffled", async () => {
    const batches = await epoch(new DataLoader(numbered(10), { batchSize: 4, shuffle: false }));
    expect(batches.map(({ x }) => [...x])).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    expect(batches.map(({ labels }) => [...labels])).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    expect(batches.map(({ shape }) => shape)).toEqual([
      [4, 1, 1, 1],
      [4, 1, 1, 1],
      [2, 1, 1, 1],
    ]);
    expect(batches.map(({ position }) => position)).toEqual([0, 4, 8]);
  });

  test("leaves out the last batch on request", async () => {
    const loader = new DataLoader(numbered(10), { batchSize: 4, dropLast: true });
    expect(loader.batchesPerEpoch).toBe(2);
    expect((await epoch(loader)).map(({ labels }) => labels.length)).toEqual([4, 4]);
    expect(loader.state).toEqual({ seed: 0, epoch: 1, position: 0 });
    expect(new DataLoader(numbered(10), { batchSize: 4 }).batchesPerEpoch).toBe(3);
    expect(new DataLoader(numbered(8), { batchSize: 4, dropLast: true }).batchesPerEpoch).toBe(2);
  });

  test("is shuffled by seed and epoch", async () => {
    const orders: number[][] = [];
    for (const seed of [1, 2]) {
      const loader = new DataLoader(numbered(50), { batchSize: 7, seed });
      orders.push(indicesOf(await epoch(loader)), indicesOf(await epoch(loader)));
    }
    for (const order of orders) expect([...order].sort((a, b) => a - b)).toEqual(upTo(50));
    expect(new Set(orders.map(String)).size).toBe(4);
    expect(indicesOf(await epoch(new DataLoader(numbered(50), { batchSize: 9, seed: 1 })))).toEqual(orders[0]);
  });

  test("has samples that depend on seed, epoch and index alone: not on batches, order or what is made ahead", async () => {
    const dataset = glyphs({ count: 23, seed: 5 });
    const pictures = async (
      options: Omit<DataLoaderOptions, "augment" | "seed">,
    ): Promise<Map<number, Float32Array>> => {
      const found = new Map<number, Float32Array>();
      for (const { x, indices } of await epoch(new DataLoader(dataset, { ...options, seed: 3, augment: AUGMENT }))) {
        indices.forEach((index, i) => found.set(index, x.slice(i * 784, (i + 1) * 784)));
      }
      return found;
    };
    const expected = await pictures({ batchSize: 4, prefetch: 0 });
    const others = await pictures({ batchSize: 23, shuffle: false, prefetch: 5 });
    expect(others.size).toBe(23);
    for (const [index, picture] of others) expect(picture).toEqual(expected.get(index));
  });

  test("augments anew, normalises last, and leaves the dataset's own values", async () => {
    const x = Float32Array.of(0.25, 0.5, 0.75, 1);
    const dataset: Dataset = { size: 1, shape: [2, 1, 2], classes: ["only"], get: () => ({ x, label: 0 }) };
    const loader = new DataLoader(dataset, {
      batchSize: 1,
      augment: [horizontalFlip(1)],
      normalise: { mean: [0.25, 0.5], std: [0.5, 2] },
    });
    expect([...(await epoch(loader))[0].x]).toEqual([0.5, 0, 0.25, 0.125]);
    expect([...x]).toEqual([0.25, 0.5, 0.75, 1]);
    const crops = new DataLoader(glyphs({ count: 1 }), { batchSize: 1, augment: AUGMENT });
    const seen = new Set<string>();
    for (let i = 0; i < 10; i++) seen.add(String((await epoch(crops))[0].x));
    expect(seen.size).toBe(10);
  });
});

describe("a loader's state", () => {
  test.each([0, 1, 4, 5, 6, 7, 13])("after %i batches resumes the same batches, bit for bit", async (count) => {
    const dataset = glyphs({ count: 30, seed: 1 });
    const options = { batchSize: 7, seed: 2, augment: AUGMENT };
    const collect = async (loader: DataLoader, batches: number): Promise<Batch[]> => {
      const found: Batch[] = [];
      while (found.length < batches) {
        for await (const batch of loader) {
          found.push(batch);
          if (found.length === batches) break;
        }
      }
      return found;
    };
    const whole = await collect(new DataLoader(dataset, options), count + 8);
    const first = new DataLoader(dataset, options);
    await collect(first, count);
    const state = JSON.parse(JSON.stringify(first.state)) as LoaderState;
    const second = new DataLoader(dataset, { ...options, seed: 99, prefetch: 0 });
    second.state = state;
    expect(await collect(second, 8)).toEqual(whole.slice(count));
    expect(await collect(first, 8)).toEqual(whole.slice(count));
  });

  test("is behind the batch that was given out, not those that were made ahead", async () => {
    const loader = new DataLoader(numbered(10), { batchSize: 2, prefetch: 4 });
    const positions: number[] = [];
    for await (const batch of loader) positions.push(loader.state.position - batch.position);
    expect(positions).toEqual([2, 2, 2, 2, -8]);
    expect(loader.state).toEqual({ seed: 0, epoch: 1, position: 0 });
  });

  test("moves no iteration that runs: that ends with an error, and the next one is right", async () => {
    const loader = new DataLoader(numbered(10), { batchSize: 2, shuffle: false });
    const moving = async (): Promise<void> => {
      for await (const batch of loader) if (batch.position === 2) loader.state = { seed: 0, epoch: 3, position: 6 };
    };
    await expect(moving()).rejects.toThrow("the loader was moved or iterated again while this iteration ran");
    expect(indicesOf(await epoch(loader))).toEqual([6, 7, 8, 9]);
    const older = loader[Symbol.asyncIterator]();
    await older.next();
    await epoch(loader);
    await expect(older.next()).rejects.toThrow("the loader was moved or iterated again");
  });

  test("of another dataset or batch size is refused", () => {
    const loader = new DataLoader(numbered(10), { batchSize: 4 });
    const set = (state: Partial<LoaderState>) => () => {
      loader.state = { seed: 0, epoch: 0, position: 0, ...state };
    };
    expect(set({ position: 6 })).toThrow("position is 6; expected a multiple of batchSize, 4, below 10 samples");
    expect(set({ position: 12 })).toThrow("position is 12");
    expect(set({ epoch: -1 })).toThrow("epoch is -1");
    expect(set({ seed: 0.5 })).toThrow("seed is 0.5");
    expect(loader.state).toEqual({ seed: 0, epoch: 0, position: 0 });
  });
});

test("options and datasets out of their ranges are refused", () => {
  const dataset = numbered(10);
  const make =
    (options: object, changed: object = {}) =>
    () =>
      new DataLoader({ ...dataset, ...changed }, { batchSize: 2, ...options });
  expect(make({ batchSize: 0 })).toThrow("batchSize is 0; expected an integer of at least 1");
  expect(() => new DataLoader(dataset, 4 as never)).toThrow("{ batchSize: 4 }");
  expect(make({ batch: 3 })).toThrow("unknown option batch");
  expect(make({ prefetch: -1 })).toThrow("prefetch is -1");
  expect(make({ batchSize: 11, dropLast: true })).toThrow("batchSize is 11; expected at most the dataset's 10 samples");
  expect(make({ augment: ["flip"] })).toThrow('augment is ["flip"]; expected a list of functions');
  expect(make({ normalise: { std: 0 } })).toThrow("normalise.std is 0; expected no zero");
  expect(make({ normalise: { mean: [1, 2] } })).toThrow(
    "normalise.mean is [1, 2]; expected a finite number, or one for each of 1",
  );
  expect(make({ seed: -1 })).toThrow("seed is -1");
  expect(make({}, { size: 0 })).toThrow("dataset.size is 0");
  expect(make({}, { get: undefined })).toThrow("dataset is Object; expected { size, shape, classes, get }");
  expect(make({}, { classes: 10 })).toThrow("dataset.classes is 10; expected a list of names");
  expect(make({ normalise: { mean: {} } })).toThrow("normalise.mean is Object; expected a finite number");
  for (const nothing of [undefined, null, 3]) {
    expect(() => new DataLoader(nothing as never, { batchSize: 1 })).toThrow(`dataset is ${String(nothing)}; expected`);
    const loader = make({})();
    expect(() => {
      loader.state = nothing as never;
    }).toThrow(`state is ${String(nothing)}; expected { seed, epoch, position }`);
  }
  expect(make({}, { shape: [1, 2] })).toThrow("dataset.shape is [1, 2]; expected [channels, height, width]");
});
