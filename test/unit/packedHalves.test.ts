/** float16 in plans: unpacked inside kernels where shaders lack f16, and held as f16 in tiles where multiply-adds take it. */
import { makeProblem, type ProblemOptions } from "webgpu-conv/reference";
import { describe, expect, test } from "vitest";
import { type Capabilities, DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import type { DeviceClass } from "../../src/planning/devices.js";
import { type SolverPlan, workspaceBytes } from "../../src/planning/solver.js";
import { type ConvOperation, type Direction, NOTHING_FUSED } from "../../src/problem/operation.js";
import { select } from "../../src/solvers/select.js";

const capabilitiesOf = (deviceClass: DeviceClass, shaderF16: boolean): Capabilities => ({
  ...DEFAULT_CAPABILITIES,
  deviceClass,
  shaderF16,
  limits: { ...DEFAULT_CAPABILITIES.limits, maxComputeWorkgroupStorageSize: 32_768 },
});

interface Layer {
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly options?: ProblemOptions;
}

function operationOf({ input, weight, options = {} }: Layer, direction: Direction): ConvOperation {
  return { ...NOTHING_FUSED, direction, dtype: "float16", problem: makeProblem(2, input, weight, options) };
}

const kernelsOf = ({ dispatches }: SolverPlan): string[] => dispatches.map(({ kernel }) => kernel.name);

const POINTWISE: Layer = { input: [32, 64, 56, 56], weight: [256, 64, 1, 1] };
const LONG_SUMS: Layer = { input: [32, 128, 56, 56], weight: [128, 128, 3, 3], options: { padding: 1, stride: 2 } };

describe("without f16 in shaders", () => {
  const planOf = (layer: Layer, direction: Direction): SolverPlan =>
    select(operationOf(layer, direction), capabilitiesOf("nvidia", false)).plan;

  test("a plain layer is one dispatch, without scratch memory", () => {
    for (const direction of ["forward", "inputGradient"] as const) {
      const plan = planOf(POINTWISE, direction);
      expect(plan.conversions, direction).toEqual([]);
      expect(kernelsOf(plan).filter((name) => name !== "pack_weights")).toEqual(["tap_gemm"]);
      // Weights alone, in two bytes each.
      expect(workspaceBytes(plan)).toBeLessThanOrEqual(2 * 256 * 64);
    }
  });

  test("results whose sums take several blocks are packed from scratch memory; operands never are", () => {
    const tile = { threadsN: 16, threadsM: 16, mPerThread: 4, vectorsPerThread: 1, tileK: 16, splitK: 1 };
    const choice = { name: "tap-gemm", config: tile };
    const { plan } = select(operationOf(LONG_SUMS, "forward"), capabilitiesOf("nvidia", false), choice);
    expect(plan.conversions).toEqual(["y from float32 to float16"]);
    expect(kernelsOf(plan)).toEqual(["pack_weights", "tap_gemm", "convert_half"]);
    expect(planOf(LONG_SUMS, "weightGradient").conversions).toEqual(["w from float32 to float16"]);
  });

  test("the second stage of a split sum packs results", () => {
    const plan = planOf({ input: [1, 512, 7, 7], weight: [512, 512, 3, 3], options: { padding: 1 } }, "forward");
    expect(plan.conversions).toEqual([]);
    expect(kernelsOf(plan)).toEqual(["pack_weights", "tap_gemm", "sum_splits"]);
  });

  test("solvers that read no packed pairs, and passes over a padded edge, get all of it converted", () => {
    const operation = operationOf(POINTWISE, "forward");
    expect(select(operation, capabilitiesOf("nvidia", false), "register-tile").plan.conversions).toEqual([
      "x from float16 to float32",
      "w from float16 to float32",
      "y from float32 to float16",
    ]);
    const reflected = { ...LONG_SUMS, options: { padding: 1, paddingMode: "reflect" } } as const;
    expect(planOf(reflected, "inputGradient").conversions).toHaveLength(3);
  });
});

describe("tiles in workgroup memory", () => {
  const heldBy = (deviceClass: DeviceClass, shaderF16: boolean, pixels?: ConvOperation["pixels"]): unknown => {
    const operation = { ...operationOf(POINTWISE, "weightGradient"), pixels };
    const { dispatches } = select(operation, capabilitiesOf(deviceClass, shaderF16), "implicit-gemm").plan;
    return dispatches.find(({ kernel }) => kernel.name === "implicit_gemm_weight_gradient")?.types.Held;
  };

  test("hold f16 where multiply-adds take it, and f32 elsewhere", () => {
    expect(heldBy("amd-rdna", true)).toBe("f16");
    expect(heldBy("apple", true)).toBe("f16");
    for (const deviceClass of ["nvidia", "amd-gcn", "amd-apu", "intel-xe-lp", "mali", "software", "unknown"] as const) {
      expect(heldBy(deviceClass, true), deviceClass).toBe("f32");
    }
    expect(heldBy("amd-rdna", false)).toBe("f32");
  });

  test("hold f32 where two passes add to a result, and fit so", () => {
    const options = { padding: 1, stride: 2, paddingMode: "reflect" } as const;
    const layer = { input: [32, 128, 56, 56], weight: [128, 128, 3, 3], options };
    const { plan } = select(operationOf(layer, "inputGradient"), capabilitiesOf("amd-rdna", true));
    expect(plan.solver).toBe("tap-gemm");
    expect(plan.dispatches.find(({ kernel }) => kernel.name === "tap_gemm")?.types.Held).toBe("f32");
  });

  test("hold f32 of an image, whose pixels are normalised while they are read", () => {
    const operation = operationOf({ input: [1, 3, 8, 8], weight: [16, 3, 3, 3] }, "forward");
    const image = {
      ...operation,
      pixels: {
        channels: 3,
        positions: 64,
        layout: "channels-first",
        order: "rgba",
        scale: [1, 1, 1, 1],
        shift: [0, 0, 0, 0],
      },
    } as const;
    const { dispatches } = select(image, capabilitiesOf("amd-rdna", true), "implicit-gemm").plan;
    expect(dispatches.find(({ kernel }) => kernel.name === "implicit_gemm")?.types.Held).toBe("f32");
  });
});
