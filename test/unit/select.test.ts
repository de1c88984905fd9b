/** The list of solvers, and how one is chosen from it: in order, with what is said of the others. */
import { describe, expect, test } from "vitest";
import { makeProblem } from "webgpu-conv/reference";
import { plainOperation } from "../../src/calls/calls.js";
import { DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import type { DeviceClass } from "../../src/planning/devices.js";
import { DIRECTIONS } from "../../src/problem/operation.js";
import { select, solversFor } from "../../src/solvers/select.js";
import { configRefusal } from "../../src/planning/knobs.js";
import { isRefusal } from "../../src/planning/solver.js";
import { SOLVERS } from "../../src/solvers/list.js";
import { Random } from "../support/data.js";
import { randomOperation } from "../support/randomOperations.js";
import { operationOf, reasonAgainst, SOFTWARE } from "../support/selection.js";

const LEAST_LIMITS = { ...DEFAULT_CAPABILITIES.limits, maxComputeInvocationsPerWorkgroup: 64 };

describe("the list of solvers", () => {
  test.each(DIRECTIONS)("%s ends with a general one, which refuses and discourages nothing", (direction) => {
    const [general] = solversFor(operationOf(direction)).slice(-1);
    expect("discouraged" in general).toBe(false);
    for (let seed = 0; seed < 200; seed++) {
      const operation = { ...randomOperation(new Random(seed)), direction, bias: false };
      const [config] = general.configs(operation, DEFAULT_CAPABILITIES);
      const outcome = general.plan(operation, { ...SOFTWARE, limits: LEAST_LIMITS }, config);
      expect(isRefusal(outcome), `seed ${String(seed)}`).toBe(false);
    }
  });

  test.each(["forward", "inputGradient", "weightGradient"] as const)("%s has a direct one and a GEMM", (direction) => {
    const names = solversFor(operationOf(direction)).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["direct", "implicit-gemm"]));
    expect(new Set(names).size).toBe(names.length);
  });

  test("each solver stands for directions that exist, and has a default to try", () => {
    for (const solver of SOLVERS) {
      for (const direction of solver.directions) {
        expect(DIRECTIONS).toContain(direction);
        expect(solver.configs(operationOf(direction), DEFAULT_CAPABILITIES).length).toBeGreaterThanOrEqual(1);
      }
    }
  });

  test("each candidate of each solver has its knobs, and each knob is some candidate's, or the caller's choice", () => {
    for (const solver of SOLVERS) {
      const seen = new Set<string>();
      for (const direction of solver.directions) {
        for (const capabilities of [DEFAULT_CAPABILITIES, SOFTWARE]) {
          for (const config of solver.configs(operationOf(direction), capabilities)) {
            expect(configRefusal(solver, config), solver.name).toBeUndefined();
            for (const knob of Object.keys(config)) seen.add(knob);
          }
        }
      }
      for (const [knob, isRequired] of Object.entries(solver.knobs)) {
        if (isRequired) expect([...seen], solver.name).toContain(knob);
      }
    }
  });
});

describe("the engine's choice", () => {
  test("on a GPU is the first that takes the operation, and the later ones are told what came first", () => {
    const { plan, passedOver } = select(operationOf("forward"), DEFAULT_CAPABILITIES);
    expect(plan.solver).toBe("scalar-tile");
    const names = solversFor(operationOf("forward")).map(({ name }) => name);
    const later = names.slice(names.indexOf("scalar-tile") + 1);
    expect(later).toEqual(expect.arrayContaining(["tap-gemm", "direct"]));
    expect(passedOver.slice(-later.length)).toEqual(
      later.map((solver) => ({ solver, reason: "scalar-tile comes first" })),
    );
  });

  test("between scalar tiles and tiles in workgroup memory is the one with the fewer clocks, and says both", () => {
    const problem = makeProblem(2, [32, 256, 28, 28], [512, 256, 1, 1]);
    const operation = plainOperation("forward", problem, { dtype: "float32" });
    const selectOn = (deviceClass: DeviceClass) => select(operation, { ...DEFAULT_CAPABILITIES, deviceClass });
    expect(selectOn("intel-xe-lp").plan.solver).toBe("scalar-tile");
    const selection = selectOn("nvidia");
    expect(selection.plan.solver).toBe("tap-gemm");
    const reason = reasonAgainst("scalar-tile", selection);
    expect(reason).toMatch(/^\d+ clocks are predicted, and \d+ of tap-gemm$/);
    const [own, other] = [...(reason ?? "").matchAll(/\d+/g)].map(Number);
    expect(own).toBeGreaterThanOrEqual(other);
  });

  test.each(["forward", "inputGradient", "weightGradient"] as const)(
    "on a software device passes workgroup memory over in %s, and says why",
    (direction) => {
      const pointwise = makeProblem(2, [2, 64, 12, 12], [32, 64, 1, 1]);
      const selection = select(plainOperation(direction, pointwise, { dtype: "float32" }), SOFTWARE);
      expect(selection.plan.solver).toBe("register-tile");
      expect(reasonAgainst("implicit-gemm", selection)).toBe(
        "the device is software: workgroup memory and barriers cost more there than they save",
      );
    },
  );

  test("passes a tile over that a depthwise layer would leave idle", () => {
    const selection = select(operationOf("weightGradient", 64), DEFAULT_CAPABILITIES);
    expect(selection.plan.solver).toBe("rolling-window");
    const fewChannels = makeProblem(2, [2, 48, 12, 12], [48, 6, 3, 3], { groups: 8 });
    const grouped = select(plainOperation("weightGradient", fewChannels, { dtype: "float32" }), DEFAULT_CAPABILITIES);
    expect(grouped.plan.solver).toBe("rolling-window");
    const pointwise = makeProblem(2, [2, 48, 12, 12], [48, 6, 1, 1], { groups: 8 });
    const tiled = select(plainOperation("weightGradient", pointwise, { dtype: "float32" }), DEFAULT_CAPABILITIES);
    expect(tiled.plan.solver).toBe("register-tile");
    expect(reasonAgainst("rolling-window", tiled)).toBe("windows of 1 rows at stride 1 do not overlap");
    expect(reasonAgainst("strip", tiled)).toBe("6 channels a group do better in tiles");
    expect(reasonAgainst("implicit-gemm", tiled)).toBe(
      "6 channels a group would leave most of a tile idle (fewer than 8)",
    );
  });

  test("passes a solver over that refuses, with its reason", () => {
    const limits = { ...DEFAULT_CAPABILITIES.limits, maxComputeWorkgroupStorageSize: 1024 };
    const firstLayer = plainOperation("forward", makeProblem(2, [2, 3, 24, 24], [64, 3, 3, 3]), { dtype: "float32" });
    const selection = select(firstLayer, { ...DEFAULT_CAPABILITIES, limits });
    expect(selection.plan.solver).toBe("register-tile");
    expect(reasonAgainst("implicit-gemm", selection)).toMatch(
      /^the tile needs \d+ bytes of workgroup memory; the device has 1024$/,
    );
  });

  test.each(DIRECTIONS)("accounts for every solver of %s", (direction) => {
    const operation = operationOf(direction);
    const { plan, passedOver } = select(operation, DEFAULT_CAPABILITIES);
    const named = [plan.solver, ...passedOver.map(({ solver }) => solver)];
    expect(named.sort()).toEqual(
      solversFor(operation)
        .map(({ name }) => name)
        .sort(),
    );
  });
});
