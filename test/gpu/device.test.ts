/** The device under an engine: whose it is, what it says of itself, what happens when it is lost. */
import { DeviceError, type OperationName, outputSize } from "webgpu-conv";
import { makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { namedCase } from "../support/cases.js";
import { reals } from "../support/data.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { exactMismatch } from "../support/mismatch.js";
import {
  disposeOperands,
  expectedResults,
  makeValues,
  operationsOf,
  runOnEngine,
  takeAll,
  uploadOperands,
} from "../support/operations.js";

gpuTest("the adapter is described in words and as data", ({ engine }) => {
  const { adapter } = engine;
  expect(adapter.description.length).toBeGreaterThan(0);
  expect(adapter.backend).toBe("webgpu");
  expect(adapter.description.includes("software")).toBe(adapter.software);
  expect(adapter.maxTensorBytes).toBeGreaterThanOrEqual(2 ** 27);
});

gpuTest("a lost device gives a DeviceError, to what waits and to what comes after", async () => {
  const engine = await createEngine();
  const device = deviceOf(engine);
  const x = engine.tensor(new Float32Array(9), [1, 1, 3, 3]);
  const waiting = engine.conv2d(x, x, { padding: 1 }).data();
  device.destroy();
  await expect(waiting).rejects.toThrow(DeviceError);
  await device.lost;
  expect(() => engine.conv2d(x, x)).toThrow(DeviceError);
  expect(() => engine.tensor([1], [1])).toThrow(/the device was lost \(destroyed\)/);
  await expect(x.data()).rejects.toThrow(DeviceError);
  await expect(engine.finish()).rejects.toThrow(DeviceError);
  engine.dispose();
});

gpuTest("a validation error that nobody caught reaches finish(), once", async () => {
  const engine = await createEngine();
  deviceOf(engine).createBuffer({ size: 4, usage: 0 });
  await expect(engine.finish()).rejects.toThrow(/the device reported/);
  await engine.finish();
  engine.dispose();
});

gpuTest("time() measures what was recorded", async ({ engine }) => {
  using x = engine.tensor(new Float32Array(16 * 64 * 64), [1, 16, 64, 64]);
  using w = engine.tensor(new Float32Array(16 * 16 * 9), [16, 16, 3, 3]);
  const record = (count: number) => (): void => {
    for (let i = 0; i < count; i++) engine.conv2d(x, w, { padding: 1 }).dispose();
  };
  const short = await engine.time(record(1));
  const again = [await engine.time(record(1)), await engine.time(record(1))];
  const long = await engine.time(record(40));
  expect(["timestamp", "wall-clock"]).toContain(short.clock);
  expect(short.milliseconds).toBeGreaterThan(0);
  // Forty times the work; other load on the machine may slow either, but hardly that much, three times over.
  const least = Math.min(...[short, ...again].map(({ milliseconds }) => milliseconds));
  expect(long.milliseconds).toBeGreaterThan(2 * least);
});

describe("the CPU backend", () => {
  for (const name of ["grouped, odd", "strided, tail", "3x3, tiny"]) {
    gpuTest(`gives the reference's answers, rounded: ${name}`, async () => {
      using engine = await createEngine({ backend: "cpu" });
      expect(engine.adapter).toMatchObject({ backend: "cpu", software: true });
      expect(engine.device).toBeUndefined();
      const conv = namedCase(name);
      const problem = makeProblem(2, conv.input, conv.weight, conv.options);
      const operations = operationsOf(problem);
      const values = makeValues(problem, 21, reals);
      const tensors = uploadOperands(engine, operations, values);
      for (const operation of operations) {
        const results = await takeAll(runOnEngine(engine, operation, conv.options, tensors));
        const mismatches = expectedResults(operation, values).map((wanted, i) => exactMismatch(results[i], wanted));
        expect(mismatches.filter((mismatch) => mismatch !== undefined)).toEqual([]);
      }
      disposeOperands(tensors);
      expect(engine.memory()).toEqual({ liveBytes: 0, pooledBytes: 0, liveTensors: 0 });
      expect((await engine.time(() => undefined)).milliseconds).toBeGreaterThanOrEqual(0);
    });
  }
});

gpuTest("the class of the device is the adapter's, or the caller's", async ({ engine: told }) => {
  const { adapter } = told;
  const options = { padding: 1, stride: 2 };
  const layer = { input: [1, 32, 16, 16], weight: [32, 32, 3, 3] };
  const explained = told.explain("conv2d", layer, options);
  expect(explained.deviceClass === "software").toBe(adapter.software);
  // Firefox names no adapter.
  const by = adapter.vendor === "" ? "a fallback adapter" : `by the name "${adapter.vendor}`;
  if (adapter.software) expect(String(explained)).toContain(`device class ${String(explained.deviceClass)}, ${by}`);
  using engine = await createEngine({ device: deviceOf(told), deviceClass: "apple" });
  const asked = engine.explain("conv2d", layer, options);
  expect(asked).toMatchObject({ deviceClass: "apple", classifiedBy: "by the caller" });
  expect(String(asked)).toContain("\ndevice class apple, by the caller\n");
  expect(engine.adapter).toEqual(adapter);
  if (adapter.software) expect(asked.solver).not.toBe(explained.solver);

  const values = Float32Array.from({ length: 32 * 32 * 9 }, (_, i) => (i % 7) - 3);
  const results = [told, engine].map(async (one) => {
    using x = one.tensor(values.subarray(0, 32 * 16 * 16), layer.input);
    using w = one.tensor(values, layer.weight);
    using y = one === told ? one.conv2d(x, w, { ...options, solver: "direct" }) : one.conv2d(x, w, options);
    return await y.data();
  });
  expect(exactMismatch(await results[1], await results[0])).toBeUndefined();
});

describe("explain", () => {
  const shapes = { input: [2, 8, 16, 16], weight: [12, 8, 3, 3] };
  const options = { stride: 2, padding: 1 };
  const size = outputSize(16, { kernel: 3, stride: 2, padding: 1 });
  const elements = { x: 2 * 8 * 16 * 16, w: 12 * 8 * 9, y: 2 * 12 * size * size, bias: 12 };
  const multiplyAdds = elements.y * 8 * 9;
  const operands = elements.x + elements.w + elements.y;
  const cases: readonly (readonly [OperationName, flops: number, elements: number])[] = [
    ["conv2d", 2 * multiplyAdds, operands],
    ["conv2dInputGradient", 2 * multiplyAdds, operands],
    ["conv2dWeightGradient", 2 * multiplyAdds, operands],
    ["conv2dBiasGradient", elements.y, elements.y + elements.bias],
  ];
  for (const [operation, flops, count] of cases) {
    gpuTest(`${operation}: solver, refusals, workgroups, FLOPs, bytes, workspace`, ({ engine }) => {
      const explanation = engine.explain(operation, shapes, options);
      expect(explanation).toMatchObject({ flops, bytes: 4 * count, arithmeticIntensity: flops / (4 * count) });
      expect(explanation.dispatches.length).toBeGreaterThan(0);
      expect(explanation.workspaceBytes).toBeGreaterThanOrEqual(0);
      for (const { workgroups } of explanation.dispatches) {
        expect(Math.min(...workgroups)).toBeGreaterThanOrEqual(1);
        expect(Math.max(...workgroups)).toBeLessThanOrEqual(65_535);
      }
      for (const { reason } of explanation.refused) expect(reason.length).toBeGreaterThan(0);
      const words = String(explanation);
      expect(words).toContain(`solver ${explanation.solver}`);
      for (const { solver, reason } of explanation.refused) expect(words).toContain(`not ${solver}: ${reason}`);
    });
  }

  gpuTest("names the solver that was asked for, and counts the fused bias", ({ engine }) => {
    expect(engine.explain("conv2d", shapes, { ...options, solver: "direct" }).solver).toBe("direct");
    expect(engine.explain("conv2d", shapes, { ...options, bias: true }).bytes).toBe(4 * (operands + elements.bias));
  });
});
