/** When subgroup matrices are planned, and why not. */
import { makeProblem } from "webgpu-conv/reference";
import { describe, expect, test } from "vitest";
import { plainOperation } from "../../src/calls/calls.js";
import { loadKernel } from "../../src/kernels/kernel.js";
import { specialize } from "../../src/kernels/specialize.js";
import {
  type Capabilities,
  DEFAULT_CAPABILITIES,
  deviceRequest,
  readCapabilities,
} from "../../src/planning/capabilities.js";
import type { SolverConfig } from "../../src/planning/solver.js";
import { select } from "../../src/solvers/select.js";
import { candidatesFor } from "../../src/tuner/candidates.js";
import { adapterInfo } from "../support/adapters.js";

const FEATURE = "chromium-experimental-subgroup-matrix";
const DEVICE: Capabilities = {
  ...DEFAULT_CAPABILITIES,
  deviceClass: "amd-rdna",
  shaderF16: true,
  subgroupLanes: 32,
  subgroupMatrix: { m: 16, n: 16, k: 16, lanes: 64 },
};

const layer = (weight: readonly number[], options = {}, dtype: "float16" | "float32" = "float16") =>
  plainOperation("forward", makeProblem(2, [4, weight[1], 28, 28], weight, options), { dtype });
const POINTWISE = layer([128, 256, 1, 1]);

const plan = (operation = POINTWISE, capabilities = DEVICE, config?: SolverConfig) =>
  select(operation, capabilities, config ? { name: "subgroup-matrix", config } : "subgroup-matrix").plan;

describe("subgroup matrices", () => {
  test("multiply 1x1 layers in float16, with sums in float32", async () => {
    const { config, dispatches } = plan();
    expect(config).toEqual({ subgroupsM: 2, subgroupsN: 2, matricesM: 2, matricesN: 2, tileK: 32 });
    const [{ kernel, constants, types, workgroups, multiplyAdds }] = dispatches;
    expect(workgroups).toEqual([2 * 49, 1, 1]);
    expect(multiplyAdds).toBe(128 * 256 * 4 * 28 * 28);
    const code = specialize(await loadKernel(kernel, false), constants, types);
    expect(code).toMatch(/^enable f16;/);
    expect(code).toContain("enable chromium_experimental_subgroup_matrix;");
    expect(code).toContain("alias Left = subgroup_matrix_left<f16, 16, 16>;");
    expect(code).toContain("alias Product = subgroup_matrix_result<f32, 16, 16>;");
    expect(code.match(/subgroupMatrixMultiplyAccumulate\(/g)).toHaveLength(2 * 2 * 2);
    expect(code).toContain("subgroupMatrixLoad<Right, col_major>(&sourceTile,");
    expect(code).not.toMatch(/select\s*\(&|select \/\*/);
  });

  test("have types whose columns come before their rows", () => {
    const subgroupMatrix = { m: 8, n: 16, k: 32, lanes: 16 };
    const [{ types }] = plan(POINTWISE, { ...DEVICE, subgroupMatrix }).dispatches;
    expect(types).toMatchObject({
      Left: "subgroup_matrix_left<f16, 32, 8>",
      Right: "subgroup_matrix_right<f16, 16, 32>",
      Product: "subgroup_matrix_result<f32, 16, 8>",
    });
  });

  test.each([
    ["float32", layer([64, 64, 1, 1], {}, "float32"), DEVICE, undefined, /tensors are float32/],
    ["3x3", layer([64, 64, 3, 3]), DEVICE, undefined, /no 1x1 layer at stride 1/],
    ["a stride", layer([64, 64, 1, 1], { stride: 2 }), DEVICE, undefined, /no 1x1 layer at stride 1/],
    [
      "a device without",
      POINTWISE,
      { ...DEVICE, subgroupMatrix: undefined },
      undefined,
      /no subgroup matrices of float16/,
    ],
    ["too long a sum", layer([8, 40_000, 1, 1]), DEVICE, undefined, /sums have 40000 terms; at most 32768/],
    ["an odd K", POINTWISE, DEVICE, { tileK: 24 }, /tileK is 24; expected a multiple of 16 that divides 256/],
    [
      "many threads",
      POINTWISE,
      DEVICE,
      { subgroupsM: 8 },
      /needs 1024 threads in a workgroup; the device has at most 256/,
    ],
    ["much memory", POINTWISE, DEVICE, { matricesM: 16 }, /bytes of workgroup memory; the device has 16384/],
    ["no count", POINTWISE, DEVICE, { matricesN: 0 }, /matricesN is 0; expected a positive integer/],
  ])("refuse %s", (_, operation, { subgroupMatrix, ...device }, knobs, reason) => {
    const capabilities = subgroupMatrix ? { ...device, subgroupMatrix } : device;
    const config = knobs && { ...plan().config, ...knobs };
    expect(() => plan(operation, capabilities, config)).toThrow(reason);
  });

  test("are never the default, and one of the candidates where a device has them", () => {
    expect(select(POINTWISE, DEVICE).plan.solver).toBe("tap-gemm");
    const names = (capabilities: Capabilities) => candidatesFor(POINTWISE, capabilities).map(({ name }) => name);
    expect(names(DEVICE)).toContain("subgroup-matrix");
    expect(names({ ...DEVICE, subgroupMatrix: undefined } as unknown as Capabilities)).not.toContain("subgroup-matrix");
  });

  test("are asked for where the adapter has them, and read of the adapter", () => {
    const features = new Set([FEATURE, "shader-f16"]);
    const limits = DEFAULT_CAPABILITIES.limits;
    expect(deviceRequest({ limits, features } as never).requiredFeatures).toEqual(["shader-f16", FEATURE]);
    const half = { componentType: "f16", M: 16, N: 8, K: 4 };
    const info = Object.assign(adapterInfo({ subgroupMaxSize: 64 }), {
      subgroupMatrixConfigs: [
        { ...half, resultComponentType: "f16" },
        { ...half, resultComponentType: "f32" },
      ],
    });
    const device = { features, limits, adapterInfo: adapterInfo({}) } as never;
    expect(readCapabilities(device, undefined, info).subgroupMatrix).toEqual({ m: 16, n: 8, k: 4, lanes: 64 });
    expect(readCapabilities(device)).not.toHaveProperty("subgroupMatrix");
    const without = { features: new Set(["shader-f16"]), limits, adapterInfo: info } as never;
    expect(readCapabilities(without)).not.toHaveProperty("subgroupMatrix");
  });
});
