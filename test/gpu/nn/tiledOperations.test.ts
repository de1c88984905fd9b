/** Operations that networks by tiles have, and those that they refuse because bits would not be those of the whole. */
import { ArgumentError, DeviceError, type Engine, LimitError, type Tensor } from "webgpu-conv";
import {
  activate,
  add,
  concat,
  defineModule,
  disposeModule,
  dropout,
  dropoutState,
  explainNetwork,
  layerNorm,
  layers,
  linear,
  maxPool2d,
  mean,
  type Module,
  mul,
  Random as NetworkRandom,
  runTiled,
  setTraining,
  slice,
  softmax,
  split,
  sum,
} from "webgpu-conv/nn";
import { createEngine } from "test-engine";
import { describe, expect, test } from "vitest";
import { chooseTile } from "../../../src/nn/tiled/chooseTile.js";
import { gpuTest } from "../../support/gpuTest.js";
import { compareTiled, product, type Wanted } from "../../support/nn/compareTiled.js";

const initOf = (engine: Engine) => ({ engine, random: new NetworkRandom(7) });
const last = "channels-last";

/** A convolution of 3x3, and what becomes of its result. */
function behind(
  engine: Engine,
  [inputs, outputs]: readonly [number, number],
  make: (y: Tensor, x: Tensor) => Tensor,
  layout: "channels-first" | "channels-last" = "channels-first",
  parameters: Readonly<Record<string, Tensor>> = {},
): Module {
  const conv = layers.conv2d(initOf(engine), inputs, outputs, { kernel: 3, padding: 1, layout });
  const module = defineModule({
    kind: "network",
    parameters,
    children: { conv },
    forward: (x) => make(conv.forward(x), x),
  });
  setTraining(module, false);
  return module;
}

describe("networks of", () => {
  const runs = (name: string, shape: readonly number[], wanted: Wanted, make: (engine: Engine) => Module) =>
    gpuTest(name, async ({ bare: engine }) => {
      const network = make(engine);
      setTraining(network, false);
      try {
        expect(await compareTiled(engine, network, shape, () => wanted)).toBeGreaterThan(1);
      } finally {
        disposeModule(network);
      }
    });

  runs("a softmax of the channels, last", [24, 20, 3], { tile: [9, 9], layout: last }, (engine) =>
    behind(engine, [3, 5], (y) => softmax(y, -1), last),
  );
  runs("sums over the channels, last", [24, 20, 3], { tile: [12, 12], layout: last }, (engine) =>
    behind(engine, [3, 8], (y) => mul(y, sum(y, { axes: 3, keepDims: true })), last),
  );
  runs("a layer norm of the channels, last", [24, 20, 3], { tile: [12, 12], layout: last }, (engine) =>
    behind(engine, [3, 12], (y) => layerNorm(y, 12), last),
  );
  runs("a skip across scales", [2, 64, 48], { tile: [16, 16] }, (engine) => {
    const init = initOf(engine);
    const inner = layers.conv2d(init, 4, 4, { kernel: 3, padding: 1 });
    const up = layers.upsample({ scaleFactor: 2, mode: "nearest" });
    const final = layers.conv2d(init, 8, 2, { kernel: 1 });
    const first = layers.conv2d(init, 2, 4, { kernel: 3, padding: 1, activation: "relu" });
    return defineModule({
      kind: "unet",
      children: { first, inner, up, final },
      forward(x) {
        const e = first.forward(x);
        const u = up.forward(inner.forward(maxPool2d(e, { kernel: 2 })));
        return final.forward(concat([u, e], 1));
      },
    });
  });
  runs("activations by themselves", [2, 23, 21], { tile: [7, 9] }, (engine) => {
    const slope = engine.tensor(Float32Array.of(0.5, -0.25, 2), [3]);
    const make = (y: Tensor): Tensor => {
      const pooled = maxPool2d(y, { kernel: 3, stride: 1, padding: 1 });
      return activate(activate(pooled, { name: "prelu", slope }), "silu");
    };
    return behind(engine, [2, 3], make, "channels-first", { slope });
  });
  runs("linear layers of positions", [23, 21, 2], { tile: [7, 9], layout: last }, (engine) => {
    const weight = engine.tensor(
      Float32Array.from({ length: 20 }, (_, i) => Math.sin(i)),
      [4, 5],
    );
    return behind(engine, [2, 5], (y) => linear(y, weight, { activation: "relu" }), last, { weight });
  });
  runs("a sum with an activation, between convolutions", [4, 40, 40], { tile: [13, 13] }, (engine) => {
    const init = initOf(engine);
    const wide = layers.conv2d(init, 4, 32, { kernel: 3, padding: 1 });
    const point = layers.conv2d(init, 32, 32, { kernel: 1 });
    const narrow = layers.conv2d(init, 32, 2, { kernel: 5, padding: 2 });
    return defineModule({
      kind: "block",
      children: { wide, point, narrow },
      forward(x) {
        const y = wide.forward(x);
        return narrow.forward(add(y, point.forward(y), { activation: "silu" }));
      },
    });
  });
  runs("channels in two parts, last", [23, 21, 2], { tile: [7, 9], layout: last }, (engine) =>
    behind(
      engine,
      [2, 16],
      (y) => {
        const [a, b] = split(y, [8, 8], -1);
        return mul(a, b);
      },
      last,
    ),
  );
  runs("channels in parts that are copies or not", [2, 64, 64], { tile: [9, 11] }, (engine) =>
    behind(engine, [2, 4], (y) => {
      const [a, b, c] = split(y, [1, 2, 1], 1);
      return concat([c, mul(a, slice(b, 1, 2, 1))], 1);
    }),
  );
  runs("float16 behind a norm", [2, 20, 20], { tile: [9, 9] }, (engine) => {
    const init = initOf(engine);
    return layers.sequential([
      layers.batchNorm(init, 2),
      layers.conv2d({ ...init, dtype: "float16" }, 2, 3, { kernel: 3, padding: 1 }),
    ]);
  });
});

describe("bits would be others for", () => {
  const refuses = (
    name: string,
    error: new (...given: never[]) => Error,
    message: RegExp,
    make: (engine: Engine) => Module,
    { shape = [2, 24, 20], ...options }: Wanted & { readonly shape?: readonly number[] } = {},
  ) =>
    gpuTest(name, async ({ bare: engine }) => {
      const network = make(engine);
      try {
        const run = runTiled(
          network,
          { shape, values: new Float32Array(product(shape)) },
          { tile: [7, 7], ...options },
        );
        await expect(run).rejects.toThrow(error);
        await expect(run).rejects.toThrow(message);
      } finally {
        disposeModule(network);
      }
    });

  refuses(
    "a softmax of rows, channels last",
    ArgumentError,
    /softmax needs all positions/,
    (engine) => behind(engine, [2, 3], (y) => softmax(y, 1), last),
    { shape: [24, 20, 2], layout: last },
  );
  refuses("a layer norm of columns", ArgumentError, /layerNorm needs all positions/, (engine) =>
    behind(engine, [2, 3], (y) => layerNorm(y, y.shape[3])),
  );
  refuses("coordinates beside the channels", ArgumentError, /concat reads x1, .* differs from position/, (engine) =>
    behind(engine, [2, 3], (y) => {
      const [, , height, width] = y.shape;
      return concat([y, engine.tensor(new Float32Array(height * width), [1, 1, height, width])], 1);
    }),
  );
  refuses("a mask of rows and columns", ArgumentError, /mul reads .* differs from position/, (engine) =>
    behind(engine, [2, 3], (y) => mul(y, engine.tensor(new Float32Array(y.size / 3), y.shape.slice(2)))),
  );
  refuses(
    "a pooling of another layout",
    ArgumentError,
    /maxPool2d is channels-first; expected channels-last/,
    (engine) => behind(engine, [2, 3], (y) => maxPool2d(y, { kernel: 3, stride: 1, padding: 1 }), last),
    { shape: [24, 20, 2], layout: last },
  );
  refuses("elements that are dropped", ArgumentError, /dropout needs all positions/, (engine) => {
    const state = dropoutState(engine, 1);
    return behind(engine, [2, 3], (y) => dropout(y, { state }), "channels-first", { state });
  });
  refuses("several samples", ArgumentError, /makes 2 samples of one/, (engine) =>
    behind(engine, [2, 3], (y) => concat([y, y], 0)),
  );
  refuses(
    "sums that fewer positions have in another order",
    LimitError,
    /mean would add in another order/,
    (engine) => behind(engine, [2, 64], (y) => mean(y, { axes: 1, keepDims: true })),
    { shape: [2, 16, 16], tile: [2, 2] },
  );
  gpuTest("code that does otherwise when it runs", async ({ bare: engine }) => {
    let calls = 0;
    const network = behind(engine, [2, 2], (y) => (calls++ < 2 ? y : activate(y, "relu")));
    const run = runTiled(network, { shape: [2, 9, 9], values: new Float32Array(162) });
    await expect(run).rejects.toThrow(/is another one than when the network was looked at/);
    disposeModule(network);
  });
});

gpuTest("a network that is looked at runs as it runs without a tape", ({ bare: engine }) => {
  const network = behind(engine, [2, 2], (y, x) => maxPool2d(add(y, x, { activation: "silu" }), { kernel: 2 }));
  const operations = explainNetwork(network, [1, 2, 8, 8]).layers.flatMap((layer) => layer.operations);
  expect(operations.map(({ name }) => name)).toEqual(["convolution", "add", "maxPool2d"]);
  expect(operations[2].shapes).toEqual([[1, 2, 4, 4]]);
  disposeModule(network);
});

describe("a call", () => {
  gpuTest("takes rows of any length", async ({ bare: engine }) => {
    const network = layers.conv1d(initOf(engine), 1, 1, { kernel: 3, padding: 1 });
    setTraining(network, false);
    const enough = new AbortController();
    const run = runTiled(
      network,
      { shape: [1, 10_000_000], read: ({ shape }) => new Float32Array(product(shape)) },
      {
        maxBytes: 2 ** 20,
        sink: () => undefined,
        signal: enough.signal,
        onProgress: () => enough.abort(new Error("enough")),
      },
    );
    await expect(run).rejects.toThrow("enough");
    disposeModule(network);
  });

  gpuTest("leaves nothing that a network made in between", async ({ bare: engine }) => {
    const network = behind(engine, [2, 2], (y, x) => add(y, x));
    const { liveTensors } = engine.memory();
    await runTiled(network, { shape: [2, 20, 20], values: new Float32Array(800) }, { tile: [6, 6] });
    expect(engine.memory().liveTensors).toBe(liveTensors);
    disposeModule(network);
  });

  gpuTest("does not begin where its signal is aborted", async ({ bare: engine }) => {
    let calls = 0;
    const network = behind(engine, [2, 2], (y) => (calls++, y));
    const run = runTiled(
      network,
      { shape: [2, 20, 20], values: new Float32Array(800) },
      { signal: AbortSignal.abort(new Error("too late")) },
    );
    await expect(run).rejects.toThrow("too late");
    expect(calls).toBe(0);
    disposeModule(network);
  });

  test("ends with its engine, whatever it waits for", async () => {
    // Where there is no device, whose loss would end the call.
    const engine = await createEngine({ backend: "cpu" });
    const network = behind(engine, [2, 2], (y) => y);
    const run = runTiled(network, { shape: [2, 20, 20], read: () => new Promise<never>(() => undefined) });
    setTimeout(() => engine.dispose(), 20);
    await expect(run).rejects.toThrow(DeviceError);
  });
});

describe("the tile that is chosen", () => {
  test("is the least where no other is small enough", () => {
    const costOf = ([edge]: readonly number[]): number => 100 * edge + 30;
    const tiling = { extents: [1000], units: [1], costOf, workOf: () => 1 };
    expect(chooseTile(tiling, 130, undefined)).toEqual({ sizes: [1], bytes: 130 });
  });

  /** Of a volume or a picture with so much around a tile, a byte for each position that it is computed from. */
  function withHalo(extents: readonly number[], halo: number) {
    let calls = 0;
    const lengths = (sizes: readonly number[]): readonly number[] =>
      sizes.map((size, axis) => Math.min(extents[axis], size + 2 * halo));
    const costOf = (sizes: readonly number[]): number => (calls++, product(lengths(sizes)));
    const workOf = (sizes: readonly number[]): number =>
      costOf(sizes) * product(sizes.map((size, axis) => Math.ceil(extents[axis] / size)));
    return { tiling: { extents, units: extents.map(() => 1), costOf, workOf }, calls: () => calls };
  }

  test.each([
    // What lies around a cube of 200 is nearly the volume: 27 of them would be computed from 11 times its positions.
    [[256, 256, 256], 46, 9e6, "256,256,37", 3.6],
    [[40, 44, 130], 46, 185_000, "40,44,13", 8.1],
    [[256, 300, 60], 46, 2.5e6, "256,60,60", 3],
    // What lies around squares is little.
    [[4000, 6000], 10, 1e6, "800,858", 1.05],
    [[100_000], 46, 1000, "878", 1.11],
  ])("of %j with %d around it in %d bytes is %s, computed from at most %d times the whole", (...given) => {
    const [extents, halo, maxBytes, expected, most] = given;
    const { tiling, calls } = withHalo(extents, halo);
    const { sizes, bytes } = chooseTile(tiling, maxBytes, undefined);
    expect(sizes.join()).toBe(expected);
    expect(bytes).toBeLessThanOrEqual(maxBytes);
    expect(tiling.workOf(sizes) / product(extents)).toBeLessThanOrEqual(most);
    expect(calls()).toBeLessThan(100);
  });
});
