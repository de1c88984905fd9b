/** Which layers Winograd's tiles get, and what is said where they get none. */
import { describe, expect, test } from "vitest";
import type { ConvOptions } from "webgpu-conv";
import { makeProblem } from "webgpu-conv/reference";
import { plainOperation } from "../../src/calls/calls.js";
import { DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import { DEVICE_CLASSES, DEVICES } from "../../src/planning/devices.js";
import { workspaceBytes } from "../../src/planning/solver.js";
import type { Direction } from "../../src/problem/operation.js";
import { select, solversFor } from "../../src/solvers/select.js";
import { reasonAgainst, SOFTWARE } from "../support/selection.js";

describe("the choice on software devices", () => {
  test.each([
    ["64 to 64 channels, 28x28", [2, 64, 28, 28], [64, 64, 3, 3], 4],
    ["256 to 256 channels, 12x12", [1, 256, 14, 14], [256, 256, 3, 3], 2],
    ["256 to 256 channels, 14x14", [1, 256, 14, 14], [256, 256, 3, 3], 2, { padding: 1 }],
    ["64 to 64 channels, 17x17", [1, 64, 17, 17], [64, 64, 3, 3], 4, { padding: 1 }],
    ["128 to 128 channels, 9x9", [1, 128, 9, 9], [128, 128, 3, 3], 2, { padding: 1 }],
    ["64 to 64 channels, 33x33, dilation 12", [1, 64, 33, 33], [64, 64, 3, 3], 4, { padding: 12, dilation: 12 }],
    ["64 to 192 channels, 27x27, 5x5", [1, 64, 27, 27], [192, 64, 5, 5], 2, { padding: 2 }],
  ] as const)("is Winograd's, in tiles as many as there are: %s", (_, input, weight, tile, options?: ConvOptions) => {
    const problem = makeProblem(2, input, weight, options);
    for (const direction of ["forward", "inputGradient"] as const) {
      const { plan } = select(plainOperation(direction, problem, { dtype: "float32" }), SOFTWARE);
      expect([plan.solver, plan.config]).toEqual(["winograd", { tile }]);
    }
    const half = select(plainOperation("forward", problem, { dtype: "float16" }), SOFTWARE);
    if (half.plan.solver === "winograd") expect([weight[3], half.plan.config]).toEqual([3, { tile: 2 }]);
    else expect(reasonAgainst("winograd", half)).toMatch(/float16|hardly filled/);
  });

  test.each([
    ["few channels", [1, 16, 56, 56], [64, 16, 3, 3], {}, /^16 channels a group are too few/],
    ["few tiles", [1, 64, 7, 7], [64, 64, 3, 3], { padding: 1 }, /^16 tiles are too few/],
    ["other filters", [1, 64, 28, 28], [64, 64, 7, 7], {}, /^the filter is 7x7; Winograd takes 3x3 and 5x5$/],
    ["no square", [1, 64, 28, 28], [64, 64, 3, 5], {}, /^the filter is 3x5; Winograd takes 3x3 and 5x5$/],
    ["a stride", [1, 64, 56, 56], [64, 64, 3, 3], { stride: [1, 2] }, /^stride is 1x2; Winograd takes 1$/],
    [
      "a dilation that leaves little of a tile",
      [1, 64, 14, 14],
      [64, 64, 3, 3],
      { dilation: 12, padding: 12 },
      /^its tiles, hardly filled, take 1\.45 times the multiply-adds; at most 0\.85$/,
    ],
  ] as const)("is not Winograd's with %s, and says why", (_, input, weight, options, reason) => {
    const operation = plainOperation("forward", makeProblem(2, input, weight, options), { dtype: "float32" });
    expect(reasonAgainst("winograd", select(operation, SOFTWARE))).toMatch(reason);
  });

  test("for weight gradients of 3x3 filters is Winograd's too, and not with few tiles", () => {
    const gradientOf = (size: number) => {
      const problem = makeProblem(2, [1, 64, size, size], [64, 64, 3, 3], { padding: 1 });
      return select(plainOperation("weightGradient", problem, { dtype: "float32" }), SOFTWARE);
    };
    expect([gradientOf(28).plan.solver, gradientOf(28).plan.config]).toEqual(["winograd", { tile: 4 }]);
    expect([gradientOf(14).plan.solver, gradientOf(14).plan.config]).toEqual(["winograd", { tile: 2 }]);
    expect(reasonAgainst("winograd", gradientOf(7))).toMatch(
      /^16 tiles are too few to pay for transforming the filters/,
    );
  });
});

const GPUS = DEVICE_CLASSES.filter((deviceClass) => deviceClass !== "software");
const PASSES = ["forward", "inputGradient", "weightGradient"] as const;

function selectionOf(
  direction: Direction,
  shapes: readonly [input: readonly number[], weight: readonly number[], options?: ConvOptions],
  deviceClass: (typeof DEVICE_CLASSES)[number],
  dtype: "float32" | "float16" = "float32",
) {
  const operation = plainOperation(direction, makeProblem(2, ...shapes), { dtype });
  return select(operation, { ...DEFAULT_CAPABILITIES, deviceClass });
}

describe("the choice on GPUs", () => {
  /** VGG-16 at batch 32: where most multiply-adds are. */
  const LARGE = [[32, 256, 56, 56], [256, 256, 3, 3], { padding: 1 }] as const;

  test("is Winograd's where its predicted time is the shorter one, in F(4x4), with the faster kind of tile of the product", () => {
    for (const deviceClass of ["amd-rdna", "intel-xe-lp", "intel-xe2", "apple"] as const) {
      for (const direction of PASSES) {
        const { plan } = selectionOf(direction, LARGE, deviceClass);
        expect(plan.solver, `${deviceClass}, ${direction}`).toBe("winograd");
        expect(plan.config).toMatchObject({ tile: 4 });
        // Scalar tiles where compilers spill others; weight gradients have none.
        const isScalar = deviceClass.startsWith("intel") && direction !== "weightGradient";
        expect(plan.config).toHaveProperty(isScalar ? "placesPerThread" : "threadsN");
        expect(plan.config).toHaveProperty("splitK");
      }
    }
  });

  test.each([
    ["few multiply-adds, which start as fast", [1, 256, 14, 14], [256, 256, 3, 3], { padding: 1 }, "amd-rdna"],
    ["transforms that wait for memory", [32, 32, 56, 56], [32, 32, 3, 3], { padding: 1 }, "nvidia"],
    ["tiles that are hardly filled", [32, 64, 14, 14], [64, 64, 3, 3], { dilation: 12, padding: 12 }, "amd-rdna"],
  ] as const)("is not Winograd's with %s, and gives both times", (_, input, weight, options, deviceClass) => {
    for (const direction of PASSES) {
      const against = reasonAgainst("winograd", selectionOf(direction, [input, weight, options], deviceClass)) ?? "";
      const times = /^its transforms .* take (\d+) microseconds, direct sums (\d+)$/.exec(against);
      expect(times, `${direction}: ${against}`).not.toBeNull();
      expect(1.1 * Number(times?.[1])).toBeGreaterThan(Number(times?.[2]) - 1);
    }
  });

  test("never is Winograd's with few channels, nor in tiles that float16 is too coarse for", () => {
    const few = selectionOf(
      "forward",
      [
        [32, 12, 112, 112],
        [12, 12, 3, 3],
      ],
      "amd-rdna",
    );
    expect(reasonAgainst("winograd", few)).toMatch(/^12 channels a group are too few/);
    for (const direction of PASSES) {
      const { plan } = selectionOf(direction, LARGE, "amd-rdna", "float16");
      if (plan.solver === "winograd") expect(plan.config).toMatchObject({ tile: 2 });
      const five = selectionOf(
        direction,
        [
          [32, 64, 56, 56],
          [64, 64, 5, 5],
        ],
        "amd-rdna",
        "float16",
      );
      expect(reasonAgainst("winograd", five)).toMatch(/float16/);
    }
  });
});

describe("the product", () => {
  const PROBLEM = makeProblem(2, [2, 66, 20, 22], [70, 66, 3, 3], { padding: 1 });
  const XE_LP = { ...DEFAULT_CAPABILITIES, deviceClass: "intel-xe-lp" } as const;
  const operationOf = (direction: Direction) => plainOperation(direction, PROBLEM, { dtype: "float32" });
  const planOf = (config: Readonly<Record<string, number>>, direction: Direction = "forward") =>
    select(operationOf(direction), XE_LP, { name: "winograd", config }).plan;
  const SCALAR = { threads: 32, mPerThread: 8, placesPerThread: 1, unroll: 4 };
  const TILED = { threadsN: 8, threadsM: 8, mPerThread: 4, vectorsPerThread: 1, tileK: 8 };
  const kernelsOf = (plan: ReturnType<typeof planOf>) => plan.dispatches.map(({ kernel }) => kernel.name);

  test("is by the kind of tile whose knobs are set; filters are written as scalar tiles read them", () => {
    const scalar = planOf({ tile: 2, ...SCALAR });
    expect(kernelsOf(scalar)).toEqual(["winograd_filter", "winograd_source", "scalar_tile", "winograd_result"]);
    // 16 products of 70 result channels in nine tiles of 8, 66 source channels in 17 rows of 4.
    expect(scalar.scratchBytes["winograd filters"]).toBe(4 * 16 * 9 * 8 * 17 * 4);
    const tiled = planOf({ tile: 2, ...TILED });
    expect(kernelsOf(tiled)).toContain("tap_gemm");
    expect(tiled.scratchBytes["winograd filters"]).toBe(4 * 16 * 70 * 66);
  });

  test("takes what is not set from the fastest tile that has these knobs", () => {
    const constantsOf = (config: Readonly<Record<string, number>>, kernel: string) =>
      planOf(config).dispatches.find((step) => step.kernel.name === kernel)?.constants;
    expect(constantsOf({ tile: 4, placesPerThread: 2, mPerThread: 4 }, "scalar_tile")).toMatchObject({
      M_PER_THREAD: 4,
      PLACES_PER_THREAD: 2,
    });
    expect(constantsOf({ tile: 4, threads: 128 }, "scalar_tile")).toMatchObject({ THREADS: 128 });
    expect(constantsOf({ tile: 4, tileK: 8 }, "tap_gemm")).toMatchObject({ TILE_K: 8 });
    expect(kernelsOf(planOf({ tile: 4, splitK: 2 }))).toContain("sum_splits");
  });

  test.each([
    [
      "knobs of both kinds",
      { ...SCALAR, tileK: 8 },
      /the knob "tileK" is unknown; scalar-tile has threads, mPerThread/,
    ],
    ["no whole vectors of M", { ...SCALAR, mPerThread: 6 }, /mPerThread is 6; expected a multiple of 4$/],
    ["too many sums", { ...SCALAR, mPerThread: 32, placesPerThread: 2 }, /a thread would hold 256 sums; at most 128$/],
  ])("is refused with %s", (_, config, message) => {
    expect(() => planOf({ tile: 2, ...config })).toThrow(message);
  });

  test("of a weight gradient has no scalar tiles", () => {
    expect(() => planOf({ tile: 2, ...SCALAR }, "weightGradient")).toThrow(/unknown key of winograd's config, threads/);
  });

  test("has candidates of both kinds on GPUs, the fastest first, no two of which are the same", () => {
    for (const deviceClass of GPUS) {
      const capabilities = { ...DEFAULT_CAPABILITIES, deviceClass };
      for (const direction of ["forward", "inputGradient"] as const) {
        const operation = operationOf(direction);
        const solver = solversFor(operation).find(({ name }) => name === "winograd");
        const configs = solver?.configs(operation, capabilities) ?? [];
        const kinds = configs.map((config) => `${String(config.tile)} ${String("placesPerThread" in config)}`);
        expect(new Set(kinds)).toEqual(new Set(["2 true", "2 false", "4 true", "4 false"]));
        expect(new Set(configs.map((config) => JSON.stringify(config))).size).toBe(configs.length);
        for (const config of configs)
          expect(solver?.plan(operation, capabilities, config)).not.toHaveProperty("refused");
      }
    }
  });
});

describe("scratch memory", () => {
  const LAYERS = {
    "VGG-16's second layer, batch 32": [[32, 64, 224, 224], [64, 64, 3, 3], { padding: 1 }],
    "512 channels, planes of 224x224": [[8, 512, 224, 224], [512, 512, 3, 3], { padding: 1 }],
    "5x5, dilated": [[16, 96, 100, 100], [128, 96, 5, 5], { dilation: 2 }],
  } as const;

  test.each(Object.entries(LAYERS))("is bounded, whatever the batch: %s", (_, [input, weight, options]) => {
    const problem = makeProblem(2, input, weight, options);
    for (const deviceClass of [...GPUS, "software"] as const) {
      const capabilities = { ...DEFAULT_CAPABILITIES, deviceClass };
      const { cacheBytes } = DEVICES[deviceClass];
      const most = deviceClass !== "software" && cacheBytes >= 2 ** 25 && cacheBytes < 2 ** 26 ? 32 : 64;
      for (const direction of PASSES) {
        for (const tile of weight[2] === 5 ? [2] : [2, 4]) {
          const operation = plainOperation(direction, problem, { dtype: "float32" });
          const { plan } = select(operation, capabilities, { name: "winograd", config: { tile } });
          const tile64 = 64 * 4 * (tile + weight[2] - 1) ** 2 * (weight[0] + weight[1]);
          const bytes = workspaceBytes(plan) - (plan.scratchBytes["winograd filters"] ?? 0);
          if (direction === "weightGradient") {
            // Parts of sums as large as the filters; no more than 96 chunks.
            const { partials = 0, ...others } = plan.scratchBytes;
            const chunks = plan.dispatches.filter(({ kernel }) => kernel.name === "winograd_sum_chunks").length;
            expect(chunks).toBeLessThanOrEqual(96);
            const [, , height, width] = problem.outputShape;
            const tiles = input[0] * Math.ceil(height / tile + 1) * Math.ceil(width / tile + 1);
            expect(bytes - partials).toBeLessThanOrEqual(Math.max(most * 2 ** 20, (tile64 / 64) * (tiles / 96 + 64)));
            expect(partials).toBeLessThanOrEqual(Math.max(others["winograd filters"] ?? 0, most * 2 ** 17));
          } else {
            // Where filters are large, the rest keeps a quarter, or 64 tiles.
            expect(bytes, `${deviceClass}, ${direction}`).toBeLessThanOrEqual(
              Math.max(tile64, most * 2 ** 18, most * 2 ** 20 - (workspaceBytes(plan) - bytes)),
            );
          }
        }
      }
    }
  });

  test("is that of one chunk where all tiles fit, and of as many chunks as are due elsewhere", () => {
    const chunksOf = (batch: number): number => {
      const problem = makeProblem(2, [batch, 64, 56, 56], [64, 64, 3, 3], { padding: 1 });
      const operation = plainOperation("forward", problem, { dtype: "float32" });
      const { plan } = select(operation, SOFTWARE, { name: "winograd", config: { tile: 4 } });
      return plan.dispatches.filter(({ kernel }) => kernel.name === "winograd_source").length;
    };
    // 196 tiles a sample of 36 products in 128 channels, 3.4 MiB; 16 MiB.
    expect([chunksOf(1), chunksOf(4), chunksOf(5), chunksOf(64)]).toEqual([1, 1, 2, 14]);
  });
});
