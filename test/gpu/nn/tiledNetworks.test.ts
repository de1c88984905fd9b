/** Networks by tiles have the bits of the whole. */
import { ArgumentError, type Engine, LimitError } from "webgpu-conv";
import { createEngine } from "test-engine";
import {
  concat,
  defineModule,
  disposeModule,
  explainNetwork,
  interpolate,
  layers,
  type Module,
  permute,
  Random as NetworkRandom,
  runTiled,
  setTraining,
} from "webgpu-conv/nn";
import { describe, expect, test } from "vitest";
import { Random, reals } from "../../support/data.js";
import { gpuTest } from "../../support/gpuTest.js";
import { compareTiled as compare, product, type Wanted } from "../../support/nn/compareTiled.js";
import { randomNetwork } from "../../support/nn/randomNetwork.js";
import { seedsToRun } from "../../support/seeds.js";

const halves =
  (random: Random) =>
  (spatial: readonly number[]): Wanted => ({
    tile: spatial.map((extent) => random.integer(1, Math.max(1, Math.ceil(extent / 2)))),
  });

describe("random networks", () => {
  for (const seed of seedsToRun(5)) {
    gpuTest(`seed ${String(seed)}`, async ({ bare: engine }) => {
      const random = new Random(seed);
      const { module, channels } = randomNetwork(engine, random);
      try {
        await compare(
          engine,
          module,
          [channels, random.integer(20, 50), random.integer(20, 50)],
          halves(random),
          random,
        );
      } finally {
        disposeModule(module);
      }
    });
  }
});

const initOf = (engine: Engine) => ({ engine, random: new NetworkRandom(7) });

/** A network in evaluation mode, whose tensors go when the test ends. */
async function within(module: Module, use: (module: Module) => Promise<unknown>): Promise<void> {
  setTraining(module, false);
  try {
    await use(module);
  } finally {
    disposeModule(module);
  }
}

describe("tiles of a network", () => {
  gpuTest("by Winograd's blocks, half as large and twice", async ({ bare: engine }) => {
    const init = initOf(engine);
    const network = layers.sequential([
      layers.conv2d(init, 3, 32, { kernel: 3, padding: 1, activation: "relu" }),
      layers.conv2d(init, 32, 32, { kernel: 3, padding: 1, stride: 2 }),
      layers.batchNorm(init, 32),
      layers.conv2d(init, 32, 32, { kernel: 3, padding: 1 }),
      layers.conv2d(init, 32, 32, { kernel: 3, padding: 1, activation: "relu" }),
      layers.upsample({ scaleFactor: 2, mode: "nearest" }),
      layers.conv2d(init, 32, 3, { kernel: 3, padding: 1 }),
    ]);
    await within(network, async () => {
      const solvers = explainNetwork(network, [1, 3, 61, 94]).layers.map(
        ({ operations: [{ plan }] }) => plan?.solver ?? "",
      );
      expect(solvers).toContain("winograd");
      expect(await compare(engine, network, [3, 61, 94], { tile: [20, 25] })).toBeGreaterThan(6);
    });
  });

  gpuTest("in memory that is bounded, as memory allows", async ({ bare: engine }) => {
    const init = initOf(engine);
    const network = layers.sequential([
      layers.conv2d(init, 2, 8, { kernel: 3, padding: 1, activation: "relu" }),
      layers.conv2d(init, 8, 8, { kernel: 3, padding: 2, dilation: 2, activation: "relu" }),
      layers.conv2d(init, 8, 2, { kernel: 1 }),
    ]);
    const [height, width] = [300, 200];
    const maxBytes = 2 ** 20;
    await within(network, async () => {
      const before = engine.memory();
      let most = 0;
      const result = await runTiled(
        network,
        { shape: [2, height, width], values: reals(new Random(3), 2 * height * width) },
        {
          maxBytes,
          onProgress: () => {
            const { liveBytes, pooledBytes } = engine.memory();
            most = Math.max(most, liveBytes + pooledBytes - before.liveBytes);
          },
        },
      );
      expect(result.tiles).toBeGreaterThan(4);
      expect(result.bytes).toBeLessThanOrEqual(maxBytes);
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThanOrEqual(maxBytes);
      await compare(engine, network, [2, 90, 70], { maxBytes });
    });
  });

  gpuTest("of rows and of volumes", async ({ bare: engine }) => {
    const init = initOf(engine);
    const rows = layers.sequential([
      layers.conv1d(init, 3, 6, { kernel: 9, stride: 2, padding: 4, activation: "silu" }),
      layers.convTranspose1d(init, 6, 2, { kernel: 4, stride: 2, padding: 1 }),
    ]);
    await within(rows, () => compare(engine, rows, [3, 501], { tile: [100] }));
    const volumes = layers.sequential([
      layers.conv3d(init, 1, 5, { kernel: 3, padding: 1, activation: "relu" }),
      layers.conv3d(init, 5, 5, { kernel: 3, padding: 2, dilation: 2, activation: "relu" }),
      layers.conv3d(init, 5, 2, { kernel: 1 }),
    ]);
    await within(volumes, () => compare(engine, volumes, [1, 14, 17, 12], { tile: [5, 6, 7] }));
  });

  gpuTest("channels-last", async ({ bare: engine }) => {
    const init = initOf(engine);
    const layout = "channels-last";
    const network = layers.sequential([
      layers.conv2d(init, 3, 8, { kernel: 3, padding: 1, layout, activation: "relu" }),
      layers.maxPool({ kernel: 2, layout }),
      layers.conv2d(init, 8, 4, { kernel: 5, padding: 2, layout }),
    ]);
    await within(network, async () => {
      const tiles = await compare(engine, network, [40, 30, 3], () => ({ tile: [7, 6], layout }));
      expect(tiles).toBe(9);
    });
  });

  gpuTest("come and go by regions, and end early", async ({ bare: engine }) => {
    const init = initOf(engine);
    const network = layers.conv2d(init, 1, 1, { kernel: 5, padding: 2 });
    await within(network, async () => {
      const shape = [1, 30_000, 30_000];
      const regions: string[] = [];
      const cancel = new AbortController();
      const run = runTiled(
        network,
        { shape, read: (region) => new Float32Array(product(region.shape)).fill(1) },
        {
          tile: [50, 50],
          signal: cancel.signal,
          sink: ({ begin, whole }) => void regions.push(`${begin.join()} of ${whole.join()}`),
          onProgress: ({ done, total }) => {
            expect(total).toBe(360_000);
            if (done === 2) cancel.abort(new Error("enough"));
          },
        },
      );
      await expect(run).rejects.toThrow("enough");
      expect(regions.slice(0, 2)).toEqual(["0,0 of 1,30000,30000", "0,50 of 1,30000,30000"]);
      // The engine goes on.
      await compare(engine, network, [1, 20, 20], { tile: [7, 7] });
    });
  });
});

test("tiles of a network on the CPU", async () => {
  using engine = await createEngine({ backend: "cpu" });
  const init = initOf(engine);
  const network = layers.sequential([
    layers.conv2d(init, 2, 3, { kernel: 3, padding: 1, activation: "relu" }),
    layers.upsample({ scaleFactor: 2, mode: "bilinear" }),
  ]);
  setTraining(network, false);
  await compare(engine, network, [2, 11, 9], { tile: [5, 4] });
});

describe("what tiles cannot be", () => {
  const shape = [2, 24, 20];
  const values = new Float32Array(product(shape));

  const refuses = (
    name: string,
    error: new (...given: never[]) => Error,
    message: RegExp,
    make: (engine: Engine) => Module,
  ) =>
    gpuTest(name, async ({ bare: engine }) => {
      await within(make(engine), async (network) => {
        const run = runTiled(network, { shape, values }, { tile: [7, 7] });
        await expect(run).rejects.toThrow(error);
        await expect(run).rejects.toThrow(message);
      });
    });
  const behind = (make: (x: Parameters<Module["forward"]>[0]) => ReturnType<Module["forward"]>) => (engine: Engine) => {
    const conv = layers.conv2d(initOf(engine), 2, 2, { kernel: 3, padding: 1 });
    return defineModule({
      kind: "network",
      children: { conv },
      forward: (x) => {
        using y = conv.forward(x);
        return make(y);
      },
    });
  };

  refuses(
    "a pooling over all positions",
    ArgumentError,
    /globalAveragePool.* of layer 1 needs all positions/,
    (engine) =>
      layers.sequential([layers.conv2d(initOf(engine), 2, 2, { kernel: 3 }), layers.globalPool({ flat: false })]),
  );
  refuses("a norm over all positions", ArgumentError, /groupNorm of layer 1 needs all positions/, (engine) =>
    layers.sequential([layers.conv2d(initOf(engine), 2, 4, { kernel: 3 }), layers.groupNorm(initOf(engine), 2, 4)]),
  );
  refuses(
    "axes in another order",
    ArgumentError,
    /permute needs all positions/,
    behind((y) => permute(y, [0, 1, 3, 2])),
  );
  refuses(
    "tensors one above the other",
    ArgumentError,
    /makes \[48, 20\] positions of \[24, 20\]; expected the same positions/,
    behind((y) => concat([y, y], 2)),
  );
  refuses("a layer of rows", ArgumentError, /cannot be flattened|cannot be reshaped/, (engine) =>
    layers.sequential([
      layers.conv2d(initOf(engine), 2, 2, { kernel: 3 }),
      layers.flatten(),
      layers.linear(initOf(engine), 2 * 22 * 18, 3),
    ]),
  );
  refuses(
    "a scale that the size says",
    LimitError,
    /interpolate has other windows/,
    behind((y) => interpolate(y, { size: [48, 40] })),
  );

  gpuTest("a network in training", async ({ bare: engine }) => {
    const network = layers.sequential([
      layers.conv2d(initOf(engine), 2, 2, { kernel: 3 }),
      layers.batchNorm(initOf(engine), 2),
    ]);
    await expect(runTiled(network, { shape, values })).rejects.toThrow(
      /is in training mode; expected a network in evaluation mode: setTraining\(module, false\)/,
    );
    disposeModule(network);
  });

  gpuTest("too little memory", async ({ bare: engine }) => {
    await within(layers.conv2d(initOf(engine), 2, 2, { kernel: 3 }), async (network) => {
      await expect(runTiled(network, { shape, values }, { maxBytes: 100 })).rejects.toThrow(
        /a tile of \[1, 1\] takes [\d,]+ bytes; maxBytes is 100: expected a larger maxBytes/,
      );
    });
  });
});
