/** Plans for random operations: whatever the sizes, what a solver says to dispatch must be possible and consistent. */
import { describe, expect, test } from "vitest";
import { makeProblem } from "webgpu-conv/reference";
import { plainOperation } from "../../src/calls.js";
import { type Capabilities, DEFAULT_CAPABILITIES } from "../../src/gpu/capabilities.js";
import { integerConstants } from "../../src/gpu/constants.js";
import { specialize } from "../../src/gpu/specialize.js";
import { packUniforms } from "../../src/gpu/uniforms.js";
import { type ConvOperation, operandRoles, resultRoles } from "../../src/operation.js";
import { solversFor } from "../../src/select.js";
import { planFor } from "../../src/solvers/storage.js";
import { type Dispatch, foldWorkgroups, isRefusal, type SolverPlan } from "../../src/solver.js";
import { generalSolver } from "../../src/tuner/candidates.js";
import { Random } from "../support/data.js";
import { randomOperation } from "../support/randomOperations.js";

const SEEDS = Array.from({ length: 150 }, (_, seed) => seed);

const DEVICES: Readonly<Record<string, Capabilities>> = {
  "a device with WebGPU's default limits": DEFAULT_CAPABILITIES,
  "a software device": { ...DEFAULT_CAPABILITIES, software: true },
  "a software device with subgroups": { ...DEFAULT_CAPABILITIES, software: true, subgroupLanes: 8 },
  "a device whose grids must be folded": {
    ...DEFAULT_CAPABILITIES,
    limits: { ...DEFAULT_CAPABILITIES.limits, maxComputeWorkgroupsPerDimension: 4096 },
  },
  "a large GPU": {
    ...DEFAULT_CAPABILITIES,
    limits: {
      ...DEFAULT_CAPABILITIES.limits,
      maxBufferSize: 2 ** 32 - 4,
      maxStorageBufferBindingSize: 2 ** 32 - 4,
      maxComputeWorkgroupStorageSize: 49_152,
      maxComputeInvocationsPerWorkgroup: 1024,
    },
  },
};

/** Every plan of every solver and tuning candidate, with what it was made for. */
function plansOf(operation: ConvOperation, capabilities: Capabilities): SolverPlan[] {
  return solversFor(operation).flatMap((solver) =>
    solver
      .configs(operation, capabilities)
      .map((config) => planFor(solver, operation, capabilities, config))
      .filter((outcome): outcome is SolverPlan => !isRefusal(outcome)),
  );
}

/** Threads of a workgroup, as the compiled text says. */
function threadsOf({ kernel, constants }: Dispatch): number {
  const code = specialize(kernel, constants);
  const [, size] = /@workgroup_size\(([^)]*)\)/.exec(code) ?? [];
  const value = integerConstants(code);
  return size.split(",").reduce((threads, name) => threads * value(name.trim()), 1);
}

/** Workgroups that the kernel expects, from the count in its uniforms: of tasks, or of elements, one a thread. */
function workgroupsNeeded({ uniforms }: Dispatch, threads: number): number {
  if ("tasks" in uniforms) return Number(uniforms.tasks);
  if ("tiles" in uniforms) return Math.ceil((Number(uniforms.channels) * Number(uniforms.tiles)) / threads);
  const counted =
    ["pairs", "pixels", "resultElements", "strips", "walks", "filters", "elements", "threads"].find(
      (name) => name in uniforms,
    ) ?? "";
  return Math.ceil(Number(uniforms[counted]) / threads);
}

function checkWorkgroups(dispatch: Dispatch, { limits }: Capabilities): void {
  const { workgroups } = dispatch;
  for (const count of workgroups) {
    expect(Number.isSafeInteger(count)).toBe(true);
    expect(count).toBeGreaterThanOrEqual(1);
    expect(count).toBeLessThanOrEqual(limits.maxComputeWorkgroupsPerDimension);
  }
  const threads = threadsOf(dispatch);
  expect(threads).toBeLessThanOrEqual(limits.maxComputeInvocationsPerWorkgroup);
  const [columns, rows, layers] = workgroups;
  const surplus = columns * rows * layers - workgroupsNeeded(dispatch, threads);
  expect(surplus).toBeGreaterThanOrEqual(0);
  expect(surplus).toBeLessThan(rows);
}

function checkUniforms({ kernel, uniforms }: Dispatch): void {
  expect(packUniforms(kernel, uniforms).byteLength).toBeGreaterThanOrEqual(kernel.uniforms.bytes);
  for (const [name, { type }] of Object.entries(kernel.uniforms.fields)) {
    const [low, high] = type === "i32" ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
    for (const component of [uniforms[name]].flat()) {
      expect(Number.isSafeInteger(component), `${kernel.name}.${name}`).toBe(true);
      expect(component, `${kernel.name}.${name}`).toBeGreaterThanOrEqual(low);
      expect(component, `${kernel.name}.${name}`).toBeLessThanOrEqual(high);
    }
  }
}

/** Bindings are those that the kernel declares; operands are read, results and workspace written before they are read. */
function checkBindings(operation: ConvOperation, plan: SolverPlan): void {
  const readable = new Set<string>(operandRoles(operation));
  const written = new Set<string>();
  for (const { kernel, bindings } of plan.dispatches) {
    expect(Object.keys(bindings).sort()).toEqual(Object.keys(kernel.bindings).sort());
    for (const [name, { access }] of Object.entries(kernel.bindings)) {
      const source = bindings[name];
      if (source === "unused") continue;
      if (access === "read") expect([...readable, ...written], `${kernel.name}.${name}`).toContain(source);
      else
        expect([...resultRoles(operation), ...Object.keys(plan.scratchBytes)], `${kernel.name}.${name}`).toContain(
          source,
        );
    }
    for (const [name, { access }] of Object.entries(kernel.bindings)) {
      if (access === "read_write" && bindings[name] !== "unused") written.add(bindings[name]);
    }
  }
  const isScratch = (source: string): boolean => source in plan.scratchBytes;
  expect([...written].filter((source) => !isScratch(source)).sort()).toEqual(resultRoles(operation).sort());
  expect([...written].filter(isScratch).sort()).toEqual(Object.keys(plan.scratchBytes).sort());
}

/** Checks every plan of an operation; gives the solvers that made them. */
function checkPlans(operation: ConvOperation, capabilities: Capabilities): Set<string> {
  const plans = plansOf(operation, capabilities);
  for (const plan of plans) {
    for (const dispatch of plan.dispatches) {
      checkWorkgroups(dispatch, capabilities);
      checkUniforms(dispatch);
    }
    checkBindings(operation, plan);
    for (const bytes of Object.values(plan.scratchBytes)) {
      expect(bytes % 4).toBe(0);
      expect(bytes).toBeLessThanOrEqual(capabilities.limits.maxStorageBufferBindingSize);
    }
  }
  return new Set(plans.map(({ solver }) => solver));
}

describe.each(Object.entries(DEVICES))("on %s", (_, capabilities) => {
  test.each(SEEDS)("plans for the random operation of seed %i", (seed) => {
    const operation = randomOperation(new Random(seed));
    if (checkPlans(operation, capabilities).size > 0) return;
    // The general solver takes everything that a device can hold.
    const general = generalSolver(operation);
    const [config] = general.configs(operation, capabilities);
    const outcome = planFor(general, operation, capabilities, config);
    expect(outcome).toEqual({
      refused: expect.stringMatching(/ needs \d+ bytes of scratch memory; the device binds \d+$/) as string,
    });
  });

  test.each([
    ["a 3x3 layer", [2, 40, 30, 31], [36, 40, 3, 3], { padding: 1 }, ["winograd", "strip", "direct"]],
    ["a reflected one", [1, 6, 9, 9], [6, 3, 3, 3], { padding: 2, paddingMode: "reflect", groups: 2 }, ["winograd"]],
    ["a depthwise layer", [2, 40, 30, 31], [40, 1, 5, 5], { padding: 2, groups: 40 }, ["rolling-window", "strip"]],
  ] as const)("plans for %s, forward and input gradient", (_name, input, weight, options, expected) => {
    for (const direction of ["forward", "inputGradient"] as const) {
      const operation = plainOperation(direction, makeProblem(2, input, weight, options), { dtype: "float32" });
      expect([...checkPlans(operation, capabilities)]).toEqual(expect.arrayContaining([...expected]));
    }
  });
});

describe("grids beyond the limit of a dimension are folded", () => {
  const limited: Capabilities = {
    ...DEFAULT_CAPABILITIES,
    limits: { ...DEFAULT_CAPABILITIES.limits, maxComputeWorkgroupsPerDimension: 100 },
  };

  test.each([1, 99, 100, 101, 199, 201, 9999, 10_000])("%i workgroups", (count) => {
    const [columns, rows, layers] = foldWorkgroups(count, limited);
    expect(Math.max(columns, rows)).toBeLessThanOrEqual(100);
    expect(layers).toBe(1);
    // All are there, and less than a row is surplus.
    expect(columns * rows).toBeGreaterThanOrEqual(count);
    expect(columns * rows - count).toBeLessThan(rows);
  });

  test("65,535 fit in a row, one more does not", () => {
    expect(foldWorkgroups(65_535, DEFAULT_CAPABILITIES)).toEqual([65_535, 1, 1]);
    expect(foldWorkgroups(65_536, DEFAULT_CAPABILITIES)).toEqual([32_768, 2, 1]);
  });
});
