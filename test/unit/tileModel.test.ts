/** Tiles are chosen by predicted time: what the prediction must see, for devices of every class. */
import { makeProblem } from "webgpu-conv/reference";
import { describe, expect, test } from "vitest";
import { type Capabilities, DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import { DEVICE_CLASSES, type DeviceClass, DEVICES } from "../../src/planning/devices.js";
import { predictClocks, threadRegisters, type TileWork } from "../../src/planning/tileModel.js";
import { usefulShare } from "../../src/planning/work.js";
import { isRefusal, type SolverPlan } from "../../src/planning/solver.js";
import { type Direction, NOTHING_FUSED } from "../../src/problem/operation.js";
import { select, solversFor } from "../../src/solvers/select.js";

const GPUS = DEVICE_CLASSES.filter((deviceClass) => deviceClass !== "software");

const capabilitiesOf = (deviceClass: DeviceClass): Capabilities => ({
  ...DEFAULT_CAPABILITIES,
  deviceClass,
  limits: { ...DEFAULT_CAPABILITIES.limits, maxComputeWorkgroupStorageSize: 32_768 },
});

function planOf(
  deviceClass: DeviceClass,
  direction: Direction,
  input: readonly number[],
  weight: readonly number[],
  options = {},
): SolverPlan {
  const operation = {
    ...NOTHING_FUSED,
    direction,
    dtype: "float32",
    problem: makeProblem(2, input, weight, options),
  } as const;
  return select(operation, capabilitiesOf(deviceClass)).plan;
}

const work = (changes: Partial<TileWork> = {}): TileWork => ({
  tileM: 64,
  tileN: 64,
  tileK: 16,
  threads: 256,
  mPerThread: 4,
  vectorsPerThread: 1,
  vectorsLoaded: 2,
  loadInstructions: 10,
  ahead: true,
  holdsLoads: false,
  heldBytes: 4,
  workgroupBytes: 10_000,
  ...changes,
});

describe("the prediction", () => {
  const bytes = { operandBytes: 4, elementBytes: 4 };
  const product = {
    m: 256,
    n: 100_352,
    kTiles: 16,
    kVectors: 64,
    copies: 1,
    operands: 256 * (256 + 100_352),
    elements: 256 * 100_352,
    ...bytes,
  };

  test("is proportional to the work where there is plenty", () => {
    const once = predictClocks(product, work(), 1, DEVICES.nvidia);
    const twice = predictClocks(
      { ...product, n: 2 * product.n, elements: 2 * product.elements },
      work(),
      1,
      DEVICES.nvidia,
    );
    // The last workgroups leave some multiprocessors idle.
    expect(twice / once).toBeGreaterThan(1.9);
    expect(twice / once).toBeLessThan(2.1);
  });

  test("counts what a tile computes beyond the product", () => {
    const narrow = { ...product, m: 16, elements: 16 * product.n };
    const large = work({ tileM: 128, tileN: 128, mPerThread: 8, vectorsPerThread: 2 });
    const small = work({ tileM: 16, tileN: 64, threads: 64 });
    expect(predictClocks(narrow, small, 1, DEVICES.nvidia)).toBeLessThan(
      predictClocks(narrow, large, 1, DEVICES.nvidia),
    );
  });

  test("counts registers that do not fit", () => {
    const large = work({ mPerThread: 8, vectorsPerThread: 2, tileM: 128, tileN: 128 });
    expect(threadRegisters(large, DEVICES["intel-xe-lp"])).toBeGreaterThan(DEVICES["intel-xe-lp"].threadRegisters);
    const least = (tile: TileWork, deviceClass: DeviceClass): number =>
      predictClocks(product, tile, 1, DEVICES[deviceClass]);
    expect(least(large, "amd-rdna")).toBeLessThan(least(work(), "amd-rdna"));
    expect(least(large, "intel-xe-lp")).toBeGreaterThan(least(work({ ahead: false }), "intel-xe-lp"));
  });

  test("counts bytes of float16: in memory, in workgroup memory, and in registers until they are multiplied", () => {
    const half = { heldBytes: 2, workgroupBytes: 5000 };
    const registers = (changes: Partial<TileWork>): number => threadRegisters(work(changes), DEVICES["amd-rdna"]);
    expect(registers({ ahead: true })).toBeGreaterThan(registers({ ahead: true, ...half }));
    const clocks = (product16: typeof product, tile: TileWork): number =>
      predictClocks(product16, tile, 1, DEVICES["amd-rdna"]);
    expect(clocks(product, work(half))).toBeLessThan(clocks(product, work()));
    const halves = { ...product, operandBytes: 2, elementBytes: 2 };
    expect(clocks(halves, work())).toBeLessThan(clocks(product, work()));
    // Few multiply-adds for what they read: memory decides.
    const thin = { m: 8, n: 1_000_000, kTiles: 1, kVectors: 2, copies: 1, operands: 8_000_000, elements: 8_000_000 };
    const small = work({ tileM: 16, tileN: 64, tileK: 8, threads: 64 });
    const [float32, float16] = [bytes, { operandBytes: 2, elementBytes: 2 }].map((each) =>
      predictClocks({ ...thin, ...each }, small, 1, DEVICES["amd-rdna"]),
    );
    expect(float16 / float32).toBeLessThan(0.75);
  });

  test("splits K where tiles leave a device idle, and not where they fill it", () => {
    const few = {
      m: 512,
      n: 49,
      kTiles: 288,
      kVectors: 1152,
      copies: 1,
      operands: 512 * (4608 + 49),
      elements: 512 * 49,
      ...bytes,
    };
    expect(predictClocks(few, work(), 8, DEVICES.nvidia)).toBeLessThan(predictClocks(few, work(), 1, DEVICES.nvidia));
    expect(predictClocks(product, work(), 8, DEVICES.nvidia)).toBeGreaterThan(
      predictClocks(product, work(), 1, DEVICES.nvidia),
    );
  });
});

describe.each(GPUS)("on %s", (deviceClass) => {
  test.each([
    ["64 to 256, 1x1", [32, 64, 56, 56], [256, 64, 1, 1], {}],
    ["16 to 96, 1x1", [32, 16, 112, 112], [96, 16, 1, 1], {}],
    ["128 to 128, 3x3, stride 2", [32, 128, 56, 56], [128, 128, 3, 3], { padding: 1, stride: 2 }],
    ["256 to 512, 1x1, stride 2", [32, 256, 56, 56], [512, 256, 1, 1], { stride: 2 }],
  ] as const)("few multiply-adds of %s are in vain", (_name, input, weight, options) => {
    for (const direction of ["forward", "inputGradient"] as const) {
      const problem = makeProblem(2, input, weight, options);
      const operation = { ...NOTHING_FUSED, direction, dtype: "float32", problem } as const;
      const { plan } = select(operation, capabilitiesOf(deviceClass));
      expect(usefulShare(operation, plan), `${direction} ${plan.solver}`).toBeGreaterThan(0.7);
    }
  });

  test("a strided input gradient multiplies the taps of each phase alone", () => {
    const [input, weight, options] = [[1, 64, 28, 28], [64, 64, 1, 1], { stride: 2 }] as const;
    const plan = planOf(deviceClass, "inputGradient", input, weight, options);
    expect(["tap-gemm", "scalar-tile"]).toContain(plan.solver);
    expect(plan.dispatches.reduce((sum, { multiplyAdds = 0 }) => sum + multiplyAdds, 0)).toBeLessThan(
      1.5 * 64 * 64 * 14 * 14,
    );
  });

  test("candidates are different, and all within the device's limits", () => {
    const problem = makeProblem(2, [1, 128, 28, 28], [128, 128, 3, 3], { padding: 1, stride: 2 });
    for (const direction of ["forward", "inputGradient", "weightGradient"] as const) {
      const operation = { ...NOTHING_FUSED, direction, dtype: "float32", problem } as const;
      // Subgroup matrices take neither float32 nor 3x3 filters (subgroupMatrix.test.ts).
      const tiled = solversFor(operation).filter((one) => one.usesWorkgroupMemory && one.name !== "subgroup-matrix");
      for (const solver of tiled) {
        const configs = solver.configs(operation, capabilitiesOf(deviceClass));
        expect(new Set(configs.map((config) => JSON.stringify(config))).size).toBe(configs.length);
        for (const config of configs) {
          expect(isRefusal(solver.plan(operation, capabilitiesOf(deviceClass), config)), solver.name).toBe(false);
        }
      }
    }
  });
});

/** Of a thread of a tile, by Intel's compilers: docs/performance-log.md, entry 42. */
function reservedRegisters({ constants }: SolverPlan["dispatches"][number]): number {
  const of = (name: string): number => Number(constants[name]);
  const sums = 4 * of("M_PER_THREAD") * of("VECTORS_PER_THREAD");
  const loaded =
    of("TILE_K") * (of("M_PER_THREAD") / of("THREADS_N") + (4 * of("VECTORS_PER_THREAD")) / of("THREADS_M"));
  return (sums * of("TILE_K") <= 448 ? 2 * sums + 30 : sums + 40) + (constants.AHEAD === true ? loaded : 0);
}

describe.each(["intel-xe-lp", "intel-xe-hpg", "intel-xe2"] as const)(
  "on %s, whose compiler reserves sums,",
  (deviceClass) => {
    const last = { layout: "channels-last" };
    test.each([
      ["512 to 512, 3x3, of 7x7", "forward", [1, 7, 7, 512], [512, 512, 3, 3], { ...last, padding: 1 }],
      ["512 to 2048, 1x1, of 7x7", "inputGradient", [1, 7, 7, 512], [2048, 512, 1, 1], last],
      ["16 to 96, 1x1", "forward", [32, 112, 112, 16], [96, 16, 1, 1], last],
      ["3 to 32, 3x3, stride 2", "weightGradient", [32, 3, 224, 224], [32, 3, 3, 3], { padding: 1, stride: 2 }],
      ["128 to 128, 3x3, stride 2", "inputGradient", [32, 128, 56, 56], [128, 128, 3, 3], { padding: 1, stride: 2 }],
    ] as const)("a thread holds what fits: %s, %s", (_name, direction, input, weight, options) => {
      const { dispatches, solver } = planOf(deviceClass, direction, input, weight, options);
      const steps = dispatches.filter(({ constants }) => "THREADS_N" in constants);
      expect(steps.length > 0 || solver === "scalar-tile", solver).toBe(true);
      for (const step of steps) {
        expect(reservedRegisters(step), JSON.stringify(step.constants)).toBeLessThanOrEqual(62);
      }
    });
  },
);

test("on GCN, float16 that is converted takes tiles of less K", () => {
  const problem = makeProblem(2, [32, 128, 56, 56], [128, 128, 3, 3], { padding: 1, stride: 2 });
  const tileK = (deviceClass: DeviceClass, dtype: "float16" | "float32"): unknown => {
    const operation = { ...NOTHING_FUSED, direction: "weightGradient", dtype, problem } as const;
    const { plan } = select(operation, { ...capabilitiesOf(deviceClass), shaderF16: true });
    return plan.dispatches.find(({ constants }) => "TILE_K" in constants)?.constants.TILE_K;
  };
  expect(tileK("amd-apu", "float16")).toBe(16);
  expect(tileK("amd-apu", "float32")).toBe(32);
});
