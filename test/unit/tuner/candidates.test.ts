/** What is measured for an operation, and which choices from elsewhere are used. */
import { describe, expect, test } from "vitest";
import { makeProblem } from "webgpu-conv/reference";
import { plainOperation } from "../../../src/calls/calls.js";
import { type Capabilities, DEFAULT_CAPABILITIES } from "../../../src/planning/capabilities.js";
import { DIRECTIONS } from "../../../src/problem/operation.js";
import { select } from "../../../src/solvers/select.js";
import { candidatesFor, modelChoice, MOST_CANDIDATES } from "../../../src/tuner/candidates.js";
import { isSame, ownCandidate } from "../../../src/tuner/ownCandidate.js";
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
    expect([...names(DEFAULT_CAPABILITIES)]).toEqual(expect.arrayContaining(["winograd", "tap-gemm", "register-tile"]));
    expect([...names(SOFTWARE)]).toEqual(expect.arrayContaining(["winograd", "vector-tile", "register-tile"]));
    expect(names(SOFTWARE)).not.toContain("implicit-gemm");
    expect(names(SOFTWARE)).not.toContain("tap-gemm");
    expect(names(SOFTWARE)).not.toContain("direct");
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
    const [{ config }] = candidatesFor(operation, DEFAULT_CAPABILITIES).filter((one) => one.name === name);
    expect(ownCandidate(operation, DEFAULT_CAPABILITIES, { name, config })).toBeDefined();
    return config;
  }
});
