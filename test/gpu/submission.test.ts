/** Scheduling: many operations a submit, in the order of the calls, and nothing made twice. */
import type { Kernel } from "../../src/kernels/kernel.js";
import { DeviceError } from "webgpu-conv";
import { makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import { plainOperation } from "../../src/calls/calls.js";
import { select } from "../../src/solvers/select.js";
import type { SolverPlan } from "../../src/planning/solver.js";
import { countCalls } from "../support/countingDevice.js";
import { Random, reals } from "../support/data.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { changedKernel, loadedKernel } from "../support/kernels.js";

describe("many operations", () => {
  gpuTest("chain through intermediates that are disposed of at once, past automatic submits", async ({ engine }) => {
    const length = 150;
    using increment = engine.tensor([1], [1]);
    using one = engine.tensor([1], [1, 1, 1, 1]);
    let y = engine.tensor([0, 10, 20, 30], [1, 1, 2, 2]);
    for (let i = 0; i < length; i++) {
      const next = engine.conv2d(y, one, { bias: increment });
      y.dispose();
      y = next;
    }
    expect([...(await y.data())]).toEqual([length, length + 10, length + 20, length + 30]);
    y.dispose();
  });

  gpuTest("share a submit, up to a batch", async ({ engine }) => {
    const { device, calls } = countCalls(deviceOf(engine));
    using counted = await createEngine({ device });
    using x = counted.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
    using w = counted.tensor([1], [1, 1, 1, 1]);
    counted.conv2d(x, w).dispose();
    await counted.finish();
    calls.clear();
    for (let i = 0; i < 50; i++) counted.conv2d(x, w).dispose();
    expect(calls.get("queue.submit")).toBeUndefined();
    await counted.finish();
    expect(calls.get("queue.submit")).toBe(1);
    for (let i = 0; i < 200; i++) counted.conv2d(x, w).dispose();
    await counted.finish();
    expect(calls.get("queue.submit")).toBeLessThanOrEqual(1 + Math.ceil(200 / 32));
    expect(calls.get("createCommandEncoder")).toBe(calls.get("queue.submit"));
  });

  gpuTest("make bind groups, uniforms and pipelines once", async ({ engine }) => {
    const { device, calls } = countCalls(deviceOf(engine));
    using counted = await createEngine({ device });
    using x = counted.tensor(new Float32Array(64).fill(1), [1, 1, 8, 8]);
    using w = counted.tensor(new Float32Array(9).fill(1), [1, 1, 3, 3]);
    const runOnce = async (): Promise<number> => {
      using y = counted.conv2d(x, w, { padding: 1 });
      using dw = counted.conv2dWeightGradient(y, x, [1, 1, 3, 3], { padding: 1 });
      const [sum] = await dw.data();
      return sum;
    };
    const sum = await runOnce();
    await runOnce();
    const made = ["createBindGroup", "createBuffer", "createComputePipelineAsync", "createShaderModule"];
    calls.clear();
    for (let i = 0; i < 20; i++) expect(await runOnce()).toBe(sum);
    for (const name of made) expect([name, calls.get(name)]).toEqual([name, undefined]);
    expect(calls.get("queue.submit")).toBeGreaterThanOrEqual(20);
  });

  gpuTest("give the same bits each time", async ({ engine }) => {
    const random = new Random(9);
    using x = engine.tensor(reals(random, 2 * 8 * 40 * 40), [2, 8, 40, 40]);
    using dy = engine.tensor(reals(random, 2 * 8 * 40 * 40), [2, 8, 40, 40]);
    const run = async (): Promise<Float32Array> => {
      using dw = engine.conv2dWeightGradient(dy, x, [8, 8, 3, 3], { padding: 1 });
      return await dw.data();
    };
    const first = await run();
    expect(first.some((value) => value !== 0)).toBe(true);
    for (let i = 0; i < 3; i++) expect(await run()).toEqual(first);
  });
});

describe("while kernels compile", () => {
  gpuTest("the order of the calls is kept", async ({ engine }) => {
    // A slow kernel first, whose result a quick one reads; then memory of the first is used by a third.
    using fresh = await createEngine({ device: deviceOf(engine), poison: true });
    using x = fresh.tensor(new Float32Array(36).fill(1), [1, 1, 6, 6]);
    using w = fresh.tensor(new Float32Array(9).fill(1), [1, 1, 3, 3]);
    using one = fresh.tensor([1], [1, 1, 1, 1]);
    const slow = fresh.conv2d(x, w, { solver: "implicit-gemm" });
    const quick = fresh.conv2d(slow, one, { solver: "direct" });
    slow.dispose();
    const early = quick.data();
    quick.dispose();
    const late = fresh.conv2d(x, w, { solver: "direct", padding: 1 });
    const [first, second] = await Promise.all([early, late.data()]);
    late.dispose();
    expect([...first]).toEqual(new Array<number>(16).fill(9));
    expect([...second].slice(0, 7)).toEqual([4, 6, 6, 6, 6, 4, 6]);
  });

  const problem = makeProblem(2, [1, 1, 2, 2], [1, 1, 1, 1]);
  const operation = plainOperation("forward", problem, { dtype: "float32" });
  const { plan } = select(operation, DEFAULT_CAPABILITIES, "direct");

  /** The plan, with a kernel that no compiler takes. */
  function brokenPlan(): SolverPlan {
    const [dispatch] = plan.dispatches;
    const code = loadedKernel(dispatch.kernel).code.replace("var terms = 0.0;", "var terms = undeclared;");
    return { ...plan, dispatches: [{ ...dispatch, kernel: changedKernel(dispatch.kernel, "broken", code) }] };
  }

  gpuTest("one that fails takes down only what depends on it", async ({ runner }) => {
    const x = runner.upload(Float32Array.of(1, 2, 3, 4));
    const w = runner.upload(Float32Array.of(5));
    const failed = runner.record(
      operation,
      brokenPlan(),
      [
        ["x", x],
        ["w", w],
      ],
      ["y"],
    )[0];
    const dependent = runner.record(
      operation,
      plan,
      [
        ["x", failed],
        ["w", w],
      ],
      ["y"],
    )[0];
    const independent = runner.record(
      operation,
      plan,
      [
        ["x", x],
        ["w", w],
      ],
      ["y"],
    )[0];
    const outcomes = await Promise.allSettled([failed, dependent, independent].map((storage) => runner.take(storage)));
    for (const outcome of outcomes.slice(0, 2)) {
      if (outcome.status === "fulfilled") throw new Error("expected the broken kernel to fail");
      expect(outcome.reason).toBeInstanceOf(DeviceError);
      expect(String(outcome.reason)).toMatch(/kernel broken did not compile: .*undeclared/s);
    }
    expect(outcomes[2]).toEqual({ status: "fulfilled", value: Float32Array.of(5, 10, 15, 20) });
    for (const storage of [x, w]) runner.recorder.memory.release(storage.pooled);
  });

  gpuTest("one that failed is tried again", async ({ runner }) => {
    const [{ kernel, constants }] = brokenPlan().dispatches;
    const first = runner.pipelines.get(kernel, constants);
    await first.settled;
    expect(first.error).toBeInstanceOf(DeviceError);
    expect(runner.pipelines.get(kernel, constants)).not.toBe(first);
  });

  gpuTest("one whose text did not load is loaded again", async ({ runner }) => {
    const [{ kernel, constants }] = plan.dispatches;
    let loads = 0;
    const load: Kernel["load"] = async () => {
      if (++loads === 1) throw new TypeError("no connection");
      return await kernel.load();
    };
    const late = { ...kernel, load };
    const first = runner.pipelines.get(late, constants);
    await first.settled;
    expect(first.error).toBeInstanceOf(DeviceError);
    expect(String(first.error)).toMatch(/kernel direct did not load: .*no connection/);
    const second = runner.pipelines.get(late, constants);
    await second.settled;
    expect([second.error, second.pipeline !== undefined, loads]).toEqual([undefined, true, 2]);
  });

  gpuTest("the same text is compiled once", async ({ runner }) => {
    const [{ kernel, constants }] = plan.dispatches;
    const entries = [constants, { ...constants }, { RANK: constants.RANK, ...constants }].map((values) =>
      runner.pipelines.get(kernel, values),
    );
    await Promise.all(entries.map(({ settled }) => settled));
    expect(new Set(entries.map(({ pipeline }) => pipeline)).size).toBe(1);
  });
});
