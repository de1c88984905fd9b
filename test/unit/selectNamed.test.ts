/** A solver that the caller names: it runs, or the call throws. */
import { describe, expect, test } from "vitest";
import { SolverError } from "webgpu-conv";
import { makeProblem } from "webgpu-conv/reference";
import { plainOperation } from "../../src/calls/calls.js";
import { DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import { select, solversFor } from "../../src/solvers/select.js";
import { isRefusal, type SolverConfig } from "../../src/planning/solver.js";
import { operationOf, SOFTWARE } from "../support/selection.js";

describe("a solver asked for by name", () => {
  test("runs, discouraged or not, each that takes the operation", () => {
    const operation = operationOf("forward", 64);
    const solvers = solversFor(operation);
    const able = solvers.filter(
      (solver) => !isRefusal(solver.plan(operation, SOFTWARE, solver.configs(operation, SOFTWARE)[0])),
    );
    expect(able.length).toBeGreaterThan(3);
    for (const { name } of able) {
      const { plan, passedOver } = select(operation, SOFTWARE, name);
      expect(plan.solver).toBe(name);
      expect(passedOver).toHaveLength(solvers.length - 1);
      for (const { reason } of passedOver) expect(reason).toBe(`${name} was asked for`);
    }
  });

  test("runs with the tuning constants asked for", () => {
    const config = { threads: 32, mPerThread: 2, nPerThread: 2 };
    const { plan } = select(operationOf("forward"), SOFTWARE, { name: "register-tile", config });
    expect(plan.config).toEqual(config);
    expect(plan.dispatches[0].constants).toMatchObject({ THREADS: 32, M_PER_THREAD: 2, N_PER_THREAD: 2 });
  });

  test.each([
    [
      { threads: 12, mPerThread: 4, vectorsPerThread: 1, broadcastLanes: 8 },
      "threads is 12; expected a multiple of 8, the lanes that broadcast",
    ],
    [
      { threads: 12, mPerThread: 4, vectorsPerThread: 1, broadcastLanes: 3 },
      "broadcastLanes is 3; expected a power of two up to 8, the lanes of a subgroup",
    ],
  ])("refuses lanes that broadcast and are not all there: %o", (config, refused) => {
    const lanes = { ...SOFTWARE, subgroupLanes: 8 };
    const choose = (): unknown => select(operationOf("forward"), lanes, { name: "vector-tile", config });
    expect(choose).toThrow(new SolverError(`solver vector-tile refuses: ${refused}`));
  });

  test("refuses partial sums that the device cannot bind", () => {
    const problem = makeProblem(2, [1, 8192, 1, 1], [8192, 8192, 1, 1]);
    const operation = plainOperation("weightGradient", problem, { dtype: "float16" });
    expect(() => select(operation, { ...DEFAULT_CAPABILITIES, shaderF16: true })).toThrow(
      /direct: "partials" needs 268435456 bytes of scratch memory; the device binds 134217728/,
    );
  });

  test("that does not exist throws with those that do", () => {
    for (const direction of ["forward", "biasGradient"] as const) {
      const names = solversFor(operationOf(direction)).map(({ name }) => name);
      const message = `there is no solver "fft" for ${direction}; there are ${names.join(", ")}`;
      expect(() => select(operationOf(direction), SOFTWARE, "fft")).toThrow(new SolverError(message));
    }
  });

  test("that refuses throws with its reason, and nothing else takes its place", () => {
    const limits = { ...DEFAULT_CAPABILITIES.limits, maxComputeInvocationsPerWorkgroup: 32 };
    expect(() => select(operationOf("forward"), { ...DEFAULT_CAPABILITIES, limits }, "implicit-gemm")).toThrow(
      SolverError,
    );
    expect(() => select(operationOf("forward"), { ...DEFAULT_CAPABILITIES, limits }, "implicit-gemm")).toThrow(
      /^solver implicit-gemm refuses: the tile needs \d+ threads in a workgroup; the device has at most 32$/,
    );
  });

  test("refuses a tile that does not divide among its threads", () => {
    const config = { threadsN: 8, threadsM: 8, mPerThread: 4, vectorsPerThread: 1, tileK: 6 };
    expect(() => select(operationOf("forward"), DEFAULT_CAPABILITIES, { name: "implicit-gemm", config })).toThrow(
      "solver implicit-gemm refuses: a tile of 32 x 32 x 6 does not divide evenly among 64 threads",
    );
  });

  test.each([
    ["register-tile", { mPerThread: 2 }],
    ["register-tile", { threads: 64, mPerThread: 0, nPerThread: 4 }],
    ["register-tile", { threads: 64, mPerThread: 1.5, nPerThread: 4 }],
    ["register-tile", { threads: 4096, mPerThread: 4, nPerThread: 1 }],
    ["implicit-gemm", { threadsN: 8 }],
  ])("%s with tuning constants that cannot work, %o, throws", (name, config) => {
    expect(() => select(operationOf("forward"), DEFAULT_CAPABILITIES, { name, config })).toThrow(SolverError);
  });

  test("without one of its knobs, or with another, throws and names the knob", () => {
    const ask = (name: string, config: SolverConfig) => () =>
      select(operationOf("forward"), DEFAULT_CAPABILITIES, { name, config });
    expect(ask("register-tile", { threads: 64, nPerThread: 4 })).toThrow(
      new SolverError(
        'solver register-tile refuses: the knob "mPerThread" is missing; register-tile has threads, mPerThread, nPerThread, splitK',
      ),
    );
    expect(ask("register-tile", { threads: 64, mPerThreads: 4, nPerThread: 4 })).toThrow(
      "unknown key of register-tile's config, mPerThreads: did you mean mPerThread?",
    );
    expect(ask("direct", { rows: 4 })).toThrow(/unknown key of direct's config, rows/);
  });
});
