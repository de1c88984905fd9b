/** What is measured for an operation, and which choices from elsewhere are used. */
import { describe, expect, test } from "vitest";
import { makeProblem } from "webgpu-conv/reference";
import { plainOperation } from "../../../src/calls/calls.js";
import { type Capabilities, DEFAULT_CAPABILITIES } from "../../../src/planning/capabilities.js";
import { loadKernel } from "../../../src/kernels/kernel.js";
import { specialize } from "../../../src/kernels/specialize.js";
import { packUniforms } from "../../../src/kernels/uniforms.js";
import { DEVICE_CLASSES } from "../../../src/planning/devices.js";
import { type ConvOperation, type Direction, DIRECTIONS } from "../../../src/problem/operation.js";
import type { ConvProblem } from "../../../src/problem/problem.js";
import { select, solversFor } from "../../../src/solvers/select.js";
import { candidatesFor, modelChoice, MOST_CANDIDATES } from "../../../src/tuner/candidates.js";
import { type Candidate, isSame, ownCandidate } from "../../../src/tuner/ownCandidate.js";
import { layer } from "./layer.js";

const SOFTWARE: Capabilities = { ...DEFAULT_CAPABILITIES, deviceClass: "software", subgroupLanes: 8 };

describe("candidates", () => {
  test.each(DIRECTIONS)("of %s are few, different, and the model's choice comes first", (direction) => {
    const problem = makeProblem(2, [2, 64, 28, 28], [64, 64, 3, 3], { padding: 1 });
    for (const capabilities of [DEFAULT_CAPABILITIES, SOFTWARE]) {
      const operation = plainOperation(direction, problem, { dtype: "float32" });
      const candidates = candidatesFor(operation, capabilities);
      expect(candidates.length).toBeLessThanOrEqual(MOST_CANDIDATES);
      expect(candidates[0]).toEqual(modelChoice(operation, capabilities));
      for (const [i, one] of candidates.entries()) {
        expect(candidates.slice(i + 1).some((other) => isSame(one, other))).toBe(false);
        expect(() => select(operation, capabilities, one)).not.toThrow();
      }
    }
  });

  test("are of several solvers; in workgroup memory only where there is a GPU", () => {
    const names = (capabilities: Capabilities) =>
      new Set(candidatesFor(layer(64, 28), capabilities).map(({ name }) => name));
    expect([...names(DEFAULT_CAPABILITIES)]).toEqual(
      expect.arrayContaining(["winograd", "scalar-tile", "register-tile"]),
    );
    expect([...names(SOFTWARE)]).toEqual(expect.arrayContaining(["winograd", "vector-tile", "register-tile"]));
    expect(names(SOFTWARE)).not.toContain("implicit-gemm");
    expect(names(SOFTWARE)).not.toContain("tap-gemm");
    expect(names(SOFTWARE)).not.toContain("direct");
  });
});

/** Layers whose sizes leave knobs without a use here and there: few rows, few positions, short and long sums. */
const LAYERS = [
  ["3x3", [2, 64, 28, 28], [64, 64, 3, 3], { padding: 1 }],
  ["3x3, stride 2", [1, 32, 14, 14], [64, 32, 3, 3], { padding: 1, stride: 2 }],
  ["1x1 of few positions", [1, 512, 7, 7], [128, 512, 1, 1], {}],
  ["1x1 of many", [4, 64, 56, 56], [256, 64, 1, 1], {}],
  ["first layer", [2, 3, 33, 33], [16, 3, 7, 7], { padding: 3, stride: 2 }],
  ["depthwise, few rows", [1, 24, 7, 9], [24, 1, 3, 3], { padding: 1, groups: 24 }],
  ["depthwise, many rows", [2, 12, 80, 40], [12, 1, 5, 5], { padding: 2, groups: 12 }],
  ["groups of 4", [1, 32, 20, 20], [32, 4, 3, 3], { padding: 1, groups: 8 }],
  ["channels-last", [2, 14, 14, 64], [32, 64, 3, 3], { padding: 1, layout: "channels-last" }],
  ["one position", [1, 1, 1, 1], [1, 1, 3, 3], { padding: 1 }],
] as const;

describe.each(DEVICE_CLASSES)("candidates for %s", (deviceClass) => {
  const lanes = deviceClass === "software" ? 8 : 32;
  const capabilities: Capabilities = { ...DEFAULT_CAPABILITIES, deviceClass, subgroupLanes: lanes };

  /** The text of each kernel as it is compiled, and the arguments that it is given. */
  async function codeAndArguments(operation: ConvOperation, candidate: Candidate): Promise<string> {
    const { plan } = select(operation, capabilities, candidate);
    const steps = plan.dispatches.map(async ({ kernel, constants, types, uniforms, bindings, workgroups }) => [
      specialize(await loadKernel(kernel, false), constants, types),
      [...new Uint8Array(packUniforms(kernel, uniforms))].join(),
      Object.entries(bindings).sort(([one], [other]) => one.localeCompare(other)),
      workgroups,
    ]);
    return JSON.stringify(await Promise.all(steps));
  }

  test.each(LAYERS)("of %s run different code, or the same with other arguments", async (_, input, weight, options) => {
    const problem = makeProblem(2, input, weight, options);
    for (const direction of DIRECTIONS) {
      const operation = plainOperation(direction, problem, { dtype: "float32" });
      const candidates = candidatesFor(operation, capabilities);
      const runs = await Promise.all(candidates.map(async (one) => await codeAndArguments(operation, one)));
      expect(new Set(runs).size).toBe(candidates.length);
    }
  });
});

describe("candidates", () => {
  const GPU: Capabilities = { ...DEFAULT_CAPABILITIES, deviceClass: "nvidia" };
  const candidatesOf = (direction: Direction, problem: ConvProblem, capabilities: Capabilities) =>
    candidatesFor(plainOperation(direction, problem, { dtype: "float32" }), capabilities);

  test("take one of several knobs that run the same", () => {
    // Planes have 7 rows: windows of 64, 32, 16 and 8 walk down all of them.
    const problem = makeProblem(2, [1, 24, 7, 9], [24, 1, 3, 3], { padding: 1, groups: 24 });
    const rows = candidatesOf("forward", problem, SOFTWARE).filter(({ name }) => name === "rolling-window");
    const operation = plainOperation("forward", problem, { dtype: "float32" });
    const configs = solversFor(operation)
      .find(({ name }) => name === "rolling-window")
      ?.configs(operation, SOFTWARE);
    expect(rows.length).toBeLessThan(configs?.length ?? 0);
    expect(rows.some(({ config }) => config.rows === 4)).toBe(true);
  });

  test("have neighbouring splits of the default where a sum is split", () => {
    const longSum = makeProblem(2, [32, 128, 14, 14], [64, 128, 1, 1]);
    for (const [direction, name, problem, k] of [
      ["forward", "tap-gemm", makeProblem(2, [1, 4096, 7, 7], [64, 4096, 1, 1]), 4096],
      ["weightGradient", "implicit-gemm", longSum, 32 * 14 * 14],
    ] as const) {
      const operation = plainOperation(direction, problem, { dtype: "float32" });
      const solver = solversFor(operation).find((one) => one.name === name);
      const [{ splitK, ...tile }, ...others] = solver?.configs(operation, GPU) ?? [];
      expect(splitK).toBeGreaterThan(1);
      // A part has at least 64 of K.
      const splits = [Math.floor(splitK / 2), 2 * splitK].filter((split) => 64 * split <= k);
      const neighbours = splits.map((split) => ({ ...tile, splitK: split }));
      expect(neighbours.length).toBeGreaterThan(0);
      expect(others).toEqual(expect.arrayContaining(neighbours));
      // Where the prediction leaves them a chance.
      const raced = candidatesOf(direction, problem, GPU).filter((one) => one.name === name);
      const kept = neighbours.filter((config) => raced.some((one) => isSame(one, { name, config })));
      expect(kept.length).toBeGreaterThan(0);
    }
    const splits = candidatesOf("weightGradient", longSum, SOFTWARE)
      .filter(({ name, config }) => name === "register-tile" && "splitK" in config)
      .map(({ config }) => config.splitK);
    expect(splits).toHaveLength(2);
    expect(splits[1] / splits[0]).toBeGreaterThanOrEqual(4);
  });

  test("are none that are predicted to take much longer than the best", () => {
    let left = 0;
    for (const [, input, weight, options] of LAYERS) {
      const operation = plainOperation("forward", makeProblem(2, input, weight, options), { dtype: "float32" });
      const solvers = solversFor(operation);
      for (const deviceClass of DEVICE_CLASSES) {
        const capabilities: Capabilities = { ...DEFAULT_CAPABILITIES, deviceClass };
        const clocksOf = ({ name, config }: Candidate): number =>
          solvers.find((one) => one.name === name)?.predictClocks?.(operation, capabilities, config) ?? NaN;
        const listed = solvers.flatMap((solver) =>
          solver.configs(operation, capabilities).map((config) => clocksOf({ name: solver.name, config })),
        );
        const raced = candidatesFor(operation, capabilities).map(clocksOf);
        const least = Math.min(...listed.filter((clocks) => !Number.isNaN(clocks)));
        expect(raced.slice(1).filter((clocks) => clocks > 1.5 * least)).toEqual([]);
        if (deviceClass === "software") expect(least).toBe(Infinity);
        else left += listed.filter((clocks) => clocks > 1.5 * least).length;
      }
    }
    expect(left).toBeGreaterThan(10);
  });
});

describe("a choice that comes from elsewhere", () => {
  const operation = layer(64, 28);

  test("is taken where it is one of the solver's own candidates, in whatever order its constants come", () => {
    for (const candidate of candidatesFor(operation, SOFTWARE)) {
      expect(ownCandidate(operation, SOFTWARE, candidate)).toEqual(candidate);
      const turned = Object.fromEntries(Object.entries(candidate.config).reverse());
      expect(ownCandidate(operation, SOFTWARE, { ...candidate, config: turned })).toEqual(candidate);
    }
  });

  test.each([
    ["a tile that stalls the device", "register-tile", { threads: 64, mPerThread: 64, nPerThread: 64 }],
    ["one that is no candidate", "register-tile", { threads: 64, mPerThread: 7, nPerThread: 3 }],
    ["one with more constants", "register-tile", { threads: 64, mPerThread: 8, nPerThread: 8, splitK: 512 }],
    ["one with fewer", "register-tile", { threads: 64, mPerThread: 8 }],
    ["no solver", "nonsense", {}],
    ["another direction's", "channel-sum", {}],
    ["one that software devices never try", "implicit-gemm", candidateOf("implicit-gemm")],
    ["one that is refused here", "winograd", { tile: 8 }],
  ])("is not where it is %s", (_, name, config) => {
    expect(ownCandidate(operation, SOFTWARE, { name, config })).toBeUndefined();
  });

  function candidateOf(name: string) {
    const solver = solversFor(operation).find((one) => one.name === name);
    const [config] = solver?.configs(operation, DEFAULT_CAPABILITIES) ?? [];
    expect(ownCandidate(operation, DEFAULT_CAPABILITIES, { name, config })).toBeDefined();
    return config;
  }
});
