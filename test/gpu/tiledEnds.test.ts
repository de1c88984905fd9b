/** What work by tiles takes, what it tells, and how it ends: memory, progress, faults of its caller and of the device. */
import {
  ArgumentError,
  DeviceError,
  type Engine,
  LimitError,
  type Tensor,
  type TiledOptions,
  type TileRegion,
} from "webgpu-conv";
import { createEngine } from "test-engine";
import { describe, expect, test } from "vitest";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { wrong } from "../support/wrong.js";

const SHAPE = [1, 24, 20];
const TILE = [5, 20];
const TILES = 5;

/** Zeros of a region. */
const zeros = ({ shape }: TileRegion): Float32Array<ArrayBuffer> => new Float32Array(shape.reduce((a, b) => a * b, 1));
const source = { shape: SHAPE, read: zeros };
const never = (): Promise<never> => new Promise(() => undefined);

/** A layer of 3x3 ones. */
const ones = (engine: Engine): Tensor => engine.tensor(new Float32Array(9).fill(1), [1, 1, 3, 3]);

/** An engine of its own on the test's device, which keeps only what it must. */
const fresh = async (engine: Engine): Promise<Engine> => await createEngine({ device: deviceOf(engine) });

/** Runs `work` on an engine of its own, whose memory must be afterwards what it was. */
async function leavesNothing(engine: Engine, work: (own: Engine, weight: Tensor) => Promise<void>): Promise<void> {
  using own = await fresh(engine);
  using weight = ones(own);
  await own.finish();
  const before = own.memory();
  await work(own, weight);
  expect(own.memory()).toEqual(before);
  // It goes on.
  using x = own.tensor(new Float32Array(16).fill(1), [1, 1, 4, 4]);
  using y = own.conv2d(x, weight);
  expect([...(await y.data())]).toEqual([9, 9, 9, 9]);
}

gpuTest("memory stays within maxBytes, and all of it is given back", async ({ engine }) => {
  using own = await fresh(engine);
  const weights = [
    [4, 1, 3, 3],
    [4, 4, 3, 3],
    [1, 4, 1, 1],
  ].map((shape) =>
    // prettier-ignore
    own.tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape),
  );
  await own.finish();
  const before = own.memory();
  const shape = [1, 300, 200];
  for (const maxBytes of [250_000, 2_000_000]) {
    let peak = 0;
    const watch = (): void => {
      const { liveBytes, pooledBytes } = own.memory();
      peak = Math.max(peak, liveBytes + pooledBytes - before.liveBytes);
    };
    const read = (region: TileRegion): Float32Array => {
      watch();
      return zeros(region);
    };
    const layers = weights.map((weight) => ({ weight, padding: "same" as const }));
    const result = await own.convolveTiled({ shape, read }, layers, { maxBytes, sink: watch, onProgress: watch });
    expect(result.bytes).toBeLessThanOrEqual(maxBytes);
    expect(peak).toBeGreaterThan(maxBytes / 8);
    expect(peak).toBeLessThanOrEqual(maxBytes);
    expect(own.memory()).toEqual(before);
  }
  const { tiles } = await own.convolveTiled({ shape, read: zeros }, [{ weight: weights[0], padding: 1 }]);
  expect(tiles).toBe(1);
});

gpuTest("regions follow each other, and the sink is waited for", async ({ engine }) => {
  using weight = ones(engine);
  const [covered, order] = [new Uint8Array(24 * 20), [] as string[]];
  let writing = 0;
  const told: unknown[] = [];
  const { shape, values, tiles } = await engine.convolveTiled(source, [{ weight, padding: 1 }], {
    tile: [9, 10],
    onProgress: (progress) => told.push(progress),
    sink: async ({ begin: [top, left], end: [bottom, right], whole }, { length }) => {
      expect(++writing).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 5));
      writing--;
      expect(whole).toEqual(SHAPE);
      expect(length).toBe((bottom - top) * (right - left));
      order.push(`${String(top)},${String(left)}`);
      for (let row = top; row < bottom; row++)
        for (let column = left; column < right; column++) covered[row * 20 + column]++;
    },
  });
  expect({ shape, values, tiles }).toEqual({ shape: SHAPE, values: undefined, tiles: 6 });
  expect(covered.every((times) => times === 1)).toBe(true);
  expect(order).toEqual(["0,0", "0,10", "9,0", "9,10", "18,0", "18,10"]);
  expect(told).toEqual([1, 2, 3, 4, 5, 6].map((done) => ({ done, total: 6 })));
});

describe("an abort", () => {
  const places = ["source", "sink", "progress"] as const;
  for (const place of places) {
    gpuTest(`in the middle, from the ${place}`, async ({ engine }) => {
      await leavesNothing(engine, async (own, weight) => {
        const abort = new AbortController();
        const reason = new Error("enough");
        let calls = 0;
        const perhaps = (where: string): void => {
          if (where === place && ++calls === 3) abort.abort(reason);
        };
        const options: TiledOptions = {
          tile: TILE,
          signal: abort.signal,
          sink: () => perhaps("sink"),
          onProgress: () => perhaps("progress"),
        };
        const read = (region: TileRegion): Float32Array => {
          perhaps("source");
          return zeros(region);
        };
        await expect(own.convolveTiled({ shape: SHAPE, read }, [{ weight }], options)).rejects.toBe(reason);
        expect(calls).toBeLessThan(TILES);
      });
    });
  }

  gpuTest("ends a source's wait, and tells it", async ({ engine }) => {
    await leavesNothing(engine, async (own, weight) => {
      let told: AbortSignal | undefined;
      const read = (_: TileRegion, signal: AbortSignal): Promise<never> => {
        told = signal;
        return never();
      };
      const signal = AbortSignal.timeout(30);
      await expect(own.convolveTiled({ shape: SHAPE, read }, [{ weight }], { signal })).rejects.toThrow(/timed? ?out/i);
      expect(told?.aborted).toBe(true);
    });
  });

  gpuTest("before the call: nothing is read", async ({ engine }) => {
    using weight = ones(engine);
    const read = (): never => {
      throw new Error("read");
    };
    const signal = AbortSignal.abort(new Error("before"));
    await expect(engine.convolveTiled({ shape: SHAPE, read }, [{ weight }], { signal })).rejects.toThrow("before");
  });
});

describe("a fault of the caller's ends the call", () => {
  const third = (fault: () => Float32Array | Promise<Float32Array>) => {
    let calls = 0;
    return (region: TileRegion) => (++calls === 3 ? fault() : zeros(region));
  };
  const broken = (): never => {
    throw new Error("no disk");
  };
  const faults: Record<string, [Parameters<typeof third>[0], RegExp]> = {
    "a source that throws": [
      broken,
      /source\.read failed for rows 10 to 17, columns 0 to 20: Error: no disk; expected/,
    ],
    "a source that rejects": [
      () => Promise.reject(new Error("no net")),
      /source\.read failed for rows 10 to 17.*no net/,
    ],
    "a source of another length": [
      () => new Float32Array(7),
      /source\.read gave wrong values for rows 10 to 17.*\b7\b/,
    ],
    "a source of anything else": [() => wrong("text"), /source\.read gave wrong values for rows 10 to 17.*"text"/],
  };
  for (const [what, [fault, message]] of Object.entries(faults)) {
    gpuTest(what, async ({ engine }) => {
      await leavesNothing(engine, async (own, weight) => {
        const call = own.convolveTiled({ shape: SHAPE, read: third(fault) }, [{ weight }], { tile: TILE });
        const error = await call.catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(ArgumentError);
        expect((error as Error).message).toMatch(message);
      });
    });
  }

  for (const isAsync of [false, true]) {
    gpuTest(`a sink that ${isAsync ? "rejects" : "throws"}`, async ({ engine }) => {
      await leavesNothing(engine, async (own, weight) => {
        const sink = (): Promise<void> => (isAsync ? Promise.reject(new Error("full")) : broken());
        const call = own.convolveTiled(source, [{ weight }], { tile: TILE, sink });
        await expect(call).rejects.toThrow(/the sink failed for rows 0 to 5, columns 0 to 18: Error: (full|no disk)/);
      });
    });
  }

  gpuTest("a weight that is disposed of", async ({ engine }) => {
    await leavesNothing(engine, async (own) => {
      const weight = ones(own);
      const call = own.convolveTiled(source, [{ weight }], { tile: TILE, onProgress: () => weight.dispose() });
      await expect(call).rejects.toThrow(/weight of shape .* was disposed/);
    });
  });
});

describe("the end of the device", () => {
  test.each(["the source", "the sink"])("while %s is waited for", async (what) => {
    const engine = await createEngine();
    const weight = ones(engine);
    let reached: () => void = () => undefined;
    const there = new Promise<void>((resolve) => (reached = resolve));
    let calls = 0;
    const wait = (isHere: boolean): boolean => {
      if (!isHere || ++calls < 2) return false;
      reached();
      return true;
    };
    const read = (region: TileRegion) => (wait(what === "the source") ? never() : zeros(region));
    const sink = () => (wait(what === "the sink") ? never() : undefined);
    const call = engine.convolveTiled({ shape: SHAPE, read }, [{ weight }], { tile: TILE, sink });
    const outcome = expect(call).rejects.toThrow(DeviceError);
    await there;
    engine.device?.destroy();
    await outcome;
    engine.dispose();
  });

  test("or of the engine", async () => {
    const engine = await createEngine();
    const weight = ones(engine);
    const call = engine.convolveTiled(source, [{ weight }], { tile: TILE, onProgress: () => engine.dispose() });
    await expect(call).rejects.toThrow(DeviceError);
  });

  test("an engine that recovers goes on with the tile", async () => {
    const engine = await createEngine({ recover: true });
    const values = new Float32Array(9).fill(1);
    const weight = engine.tensor(values, [1, 1, 3, 3], { keep: true });
    let calls = 0;
    const read = ({ shape }: TileRegion): Float32Array => {
      if (++calls === 3) engine.device?.destroy();
      return new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1);
    };
    const result = await engine.convolveTiled({ shape: SHAPE, read }, [{ weight }], { tile: TILE });
    expect(result.values?.every((value) => value === 9)).toBe(true);
    expect(calls).toBe(TILES);
    engine.dispose();
  });
});

describe("what cannot be is refused before anything is read", () => {
  const cases: Record<string, (weight: Tensor) => [unknown, unknown, unknown, RegExp]> = {
    "no layers": () => [source, [], {}, /layers is \[\]; expected a list of at least one layer/],
    "a layer without a weight": () => [
      source,
      [{ padding: 1 }],
      {},
      /layers\[0\]: weight is undefined; expected a tensor/,
    ],
    "a residual": (weight) => [source, [{ weight, residual: weight }], {}, /layers\[0\]: .*residual/],
    "channels that do not fit": (weight) => [
      { ...source, shape: [2, 9, 9] },
      [{ weight }],
      {},
      /layers\[0\]: weight has 1 input channels; expected 2/,
    ],
    "a source with a batch": (weight) => [
      { ...source, shape: [1, 1, 9, 9, 9] },
      [{ weight }],
      {},
      /source\.shape is .*each sample of a batch/,
    ],
    "a source without values": (weight) => [{ shape: SHAPE }, [{ weight }], {}, /source has neither read nor values/],
    "an unknown option": (weight) => [
      source,
      [{ weight }],
      { maxByte: 1 },
      /unknown option maxByte: did you mean maxBytes\?/,
    ],
    "a number of bytes": (weight) => [source, [{ weight }], { maxBytes: 0.5 }, /maxBytes is 0.5; expected an integer/],
    "a signal": (weight) => [source, [{ weight }], { signal: 1 }, /signal is 1; expected an AbortSignal/],
    "a tile": (weight) => [source, [{ weight }], { tile: [3] }, /tile has shape \[3\]; expected 2 dimensions/],
    "a size of what is not transposed": (weight) => [
      source,
      [{ weight, outputPadding: 1 }],
      {},
      /layers\[0\]: outputPadding is given; expected it with transposed/,
    ],
  };
  for (const [what, make] of Object.entries(cases)) {
    gpuTest(what, async ({ engine }) => {
      using weight = ones(engine);
      const [given, layers, options, message] = make(weight);
      const read = (): never => {
        throw new Error("read");
      };
      const from = given === source || "read" in (given as object) ? { ...(given as object), read } : given;
      const error = await engine
        .convolveTiled(wrong(from), wrong(layers), wrong(options))
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ArgumentError);
      expect((error as Error).message).toMatch(message);
    });
  }

  gpuTest("memory for less than a tile", async ({ engine }) => {
    using weight = ones(engine);
    const call = engine.convolveTiled(source, [{ weight }], { maxBytes: 100 });
    await expect(call).rejects.toThrow(LimitError);
    await expect(call).rejects.toThrow(
      /a tile of \[1, 1\] takes [\d,]+ bytes; maxBytes is 100: expected a larger maxBytes/,
    );
  });
});
