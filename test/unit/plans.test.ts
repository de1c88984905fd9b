/** Plans for random operations: whatever the sizes, what a solver says to dispatch must be possible and consistent. */
import { describe, expect, test } from "vitest";
import { LimitError } from "webgpu-conv";
import { makeProblem } from "webgpu-conv/reference";
import { plainOperation } from "../../src/calls/calls.js";
import { type Capabilities, DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import { integerConstants } from "../../src/kernels/constants.js";
import { settableNames } from "../../src/kernels/kernel.js";
import { specialize } from "../../src/kernels/specialize.js";
import { packUniforms } from "../../src/kernels/uniforms.js";
import { type ConvOperation, operandRoles, resultRoles } from "../../src/problem/operation.js";
import { product } from "../../src/problem/geometry.js";
import { SOLVERS } from "../../src/solvers/list.js";
import { select, solversFor } from "../../src/solvers/select.js";
import { planFor } from "../../src/solvers/passes/conversions.js";
import { type Dispatch, isRefusal, type SolverPlan } from "../../src/planning/solver.js";
import { generalSolver } from "../../src/tuner/candidates.js";
import { CASES } from "../support/cases.js";
import { Random } from "../support/data.js";
import { extremeProblem } from "../support/extremeProblem.js";
import { randomOperation } from "../support/randomOperations.js";
import { loadedKernel } from "../support/kernels.js";

const SEEDS = Array.from({ length: 150 }, (_, seed) => seed);

const DEVICES: Readonly<Record<string, Capabilities>> = {
  "a device with WebGPU's default limits": DEFAULT_CAPABILITIES,
  "a software device": { ...DEFAULT_CAPABILITIES, deviceClass: "software" },
  "a software device with subgroups": { ...DEFAULT_CAPABILITIES, deviceClass: "software", subgroupLanes: 8 },
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
  const code = specialize(loadedKernel(kernel), constants);
  const [, size] = /@workgroup_size\(([^)]*)\)/.exec(code) ?? [];
  const value = integerConstants(code);
  return size.split(",").reduce((threads, name) => threads * value(name.trim()), 1);
}

/**
 * Workgroups that the kernel expects, from the count in its uniforms: of tasks, one a workgroup or a share of them, or with EVERY a share
 * a thread; or of elements, one a thread, or a pair.
 */
function workgroupsNeeded({ uniforms, constants }: Dispatch, threads: number): number {
  if ("tasks" in uniforms) {
    const { tasks, share = 1 } = uniforms;
    return Math.ceil(Number(tasks) / Number(share) / (constants.EVERY === true ? threads : 1));
  }
  if ("tiles" in uniforms) return Math.ceil((Number(uniforms.channels) * Number(uniforms.tiles)) / threads);
  const counts = ["threads", "pairs", "pixels", "resultElements", "filters", "elements"];
  const counted = counts.find((name) => name in uniforms) ?? "";
  const each = counted === "elements" && constants.PACKED === true ? 2 : 1;
  return Math.ceil(Number(uniforms[counted]) / each / threads);
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
  const [x, y, z] = workgroups;
  const surplus = x * y * z - workgroupsNeeded(dispatch, threads);
  expect(surplus, dispatch.kernel.name).toBeGreaterThanOrEqual(0);
  expect(surplus, dispatch.kernel.name).toBeLessThan(y);
}

const sorted = (names: Iterable<string>): string[] => [...names].sort();

/** Everything that a kernel lets the host say is said, and nothing else; flags are booleans, and numbers numbers. */
function checkNames({ kernel: unloaded, constants, types, uniforms }: Dispatch): void {
  const kernel = loadedKernel(unloaded);
  expect(sorted(Object.keys(constants)), kernel.name).toEqual(sorted(settableNames(kernel)));
  expect(sorted(Object.keys(types)), kernel.name).toEqual(sorted(kernel.aliases));
  expect(sorted(Object.keys(uniforms)), kernel.name).toEqual(sorted(Object.keys(kernel.uniforms.fields)));
  for (const [, name, type] of kernel.code.matchAll(/^const (\w+): (\w+) = [^;]+; \/\/ @specialize/gm)) {
    expect(typeof constants[name], `${kernel.name}.${name}`).toBe(type === "bool" ? "boolean" : "number");
  }
  for (const name of kernel.conditions) expect(typeof constants[name], `${kernel.name}.${name}`).toBe("boolean");
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

const solversOf = (plans: readonly SolverPlan[]): string[] => [...new Set(plans.map(({ solver }) => solver))];

/** Checks every plan of an operation, and gives them. */
function checkPlans(operation: ConvOperation, capabilities: Capabilities): SolverPlan[] {
  const plans = plansOf(operation, capabilities);
  for (const plan of plans) {
    for (const dispatch of plan.dispatches) {
      checkWorkgroups(dispatch, capabilities);
      checkNames(dispatch);
      checkUniforms(dispatch);
    }
    checkBindings(operation, plan);
    for (const bytes of Object.values(plan.scratchBytes)) {
      expect(bytes % 4).toBe(0);
      expect(bytes).toBeLessThanOrEqual(capabilities.limits.maxStorageBufferBindingSize);
    }
  }
  return plans;
}

describe.each(Object.entries(DEVICES))("on %s", (_, capabilities) => {
  test.each(SEEDS)("plans for the random operation of seed %i", (seed) => {
    const operation = randomOperation(new Random(seed));
    if (checkPlans(operation, capabilities).length > 0) return;
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
      expect(solversOf(checkPlans(operation, capabilities))).toEqual(expect.arrayContaining([...expected]));
    }
  });
});

describe("each solver of the list, in each of its directions,", () => {
  const all = SOLVERS.flatMap(({ name, directions }) => directions.map((direction) => [name, direction] as const));

  test.each(all)("%s plans some %s, all of whose configurations say all that their kernels ask", (name, direction) => {
    const subgroupMatrix = { m: 16, n: 16, k: 16, lanes: 32 };
    const device = { ...DEFAULT_CAPABILITIES, shaderF16: true, subgroupLanes: 8, subgroupMatrix };
    const named = CASES.map(({ input, weight, options }) => makeProblem(2, input, weight, options));
    const random = SEEDS.map((seed) => randomOperation(new Random(seed)).problem);
    let planned = 0;
    for (const problem of [...named, ...random]) {
      if (planned === 3) break;
      const dtype = name === "subgroup-matrix" ? "float16" : "float32";
      const operation = plainOperation(direction, problem, { dtype });
      const [solver] = solversFor(operation).filter((candidate) => candidate.name === name);
      const [config] = solver.configs(operation, device);
      if (isRefusal(planFor(solver, operation, device, config))) continue;
      checkPlans(operation, device);
      planned++;
    }
    expect(planned).toBeGreaterThan(0);
  });
});

/** Directions whose plans depend on stride, dilation and padding. */
const PASSES = ["forward", "inputGradient", "weightGradient"] as const;

describe("strides, dilations and padding of any size", () => {
  const tiny: Capabilities = {
    ...DEFAULT_CAPABILITIES,
    limits: {
      ...DEFAULT_CAPABILITIES.limits,
      maxComputeWorkgroupsPerDimension: 64,
      maxBufferSize: 2 ** 20,
      maxStorageBufferBindingSize: 2 ** 20,
    },
  };

  test.each(SEEDS.slice(0, 45))("plans are bounded by sizes for the extreme problem of seed %i", (seed) => {
    const { input, weight, options } = extremeProblem(new Random(seed));
    const problem = makeProblem(2, input, weight, options);
    const elements = [problem.inputShape, problem.weightShape, problem.outputShape].map(product);
    const size = elements.reduce((sum, count) => sum + count, 0);
    const operation = plainOperation(PASSES[seed % PASSES.length], problem, { dtype: "float32" });
    for (const capabilities of [DEFAULT_CAPABILITIES, DEVICES["a software device with subgroups"], tiny]) {
      const plans = checkPlans(operation, capabilities);
      expect(solversOf(plans)).toContain("direct");
      for (const { solver, dispatches } of plans) {
        const workgroups = dispatches.reduce((sum, step) => sum + product(step.workgroups), 0);
        expect(workgroups, solver).toBeLessThan(4 * size);
      }
    }
  });

  test("a stride of 3,000 on 8 positions is planned as one of 8 is", () => {
    for (const stride of [3000, 2 ** 31 - 1]) {
      for (const solver of ["rolling-window", "register-tile", "direct"]) {
        const gridOf = (one: number): number[] => {
          const problem = makeProblem(2, [1, 1, 8, 8], [1, 1, 3, 3], { stride: one, padding: 1 });
          const operation = plainOperation("inputGradient", problem, { dtype: "float32" });
          const { dispatches } = select(operation, { ...DEFAULT_CAPABILITIES, deviceClass: "software" }, solver).plan;
          return dispatches.map(({ workgroups }) => product(workgroups));
        };
        expect(gridOf(stride), solver).toEqual(gridOf(8));
      }
    }
  });

  test("what no device could start, bind or count is refused", () => {
    const huge = plainOperation("forward", makeProblem(1, [1, 1, 2 ** 33], [1, 1, 1]), { dtype: "float32" });
    expect(() => select(huge, tiny)).toThrow(LimitError);
  });

  test.each(PASSES)("%s of a filter of a billion taps is planned at once", (direction) => {
    const problem = makeProblem(2, [1, 1, 2 ** 30, 1], [1, 1, 2 ** 30, 1]);
    const begun = performance.now();
    select(plainOperation(direction, problem, { dtype: "float32" }), DEFAULT_CAPABILITIES);
    expect(performance.now() - begun).toBeLessThan(2000);
  });
});
