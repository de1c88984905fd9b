/** Kernels that a device gets wrong are set aside before a result of theirs is used: broken here in each way on purpose. */
import { DeviceError, type Engine, memoryStore, SolverError, type Tensor } from "webgpu-conv";
import { forward, inputGradient, makeProblem, weightGradient } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { Random, smallIntegers } from "../support/data.js";
import { type BrokenEngine, brokenEngine, notCompiling, valuesOf } from "../support/brokenEngine.js";
import { failingDevice } from "../support/failingDevice.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { withLimits } from "../support/smallDevice.js";
import { roundToHalf } from "../support/half.js";
import { wrongKernels } from "../support/wrongKernels.js";

const INPUT = [2, 24, 10, 12];
const WEIGHT = [16, 24, 3, 3];
const OPTIONS = { padding: 1 } as const;
const SHAPES = { input: INPUT, weight: WEIGHT };
const PROBLEM = makeProblem(2, INPUT, WEIGHT, OPTIONS);
const X = smallIntegers(new Random(1), 2 * 24 * 120);
const W = smallIntegers(new Random(2), 16 * 24 * 9);
const DY = smallIntegers(new Random(3), 2 * 16 * 120);
const Y = [...forward(PROBLEM, X, W)];

interface Broken extends BrokenEngine {
  readonly x: Tensor;
  readonly w: Tensor;
}

async function makeBroken(...given: Parameters<typeof brokenEngine>): Promise<Broken> {
  const broken = await brokenEngine(...given);
  const { engine } = broken;
  return { ...broken, x: engine.tensor(X, INPUT), w: engine.tensor(W, WEIGHT) };
}

/** The kernels of the solver that the engine would choose, and of the one after it. */
function choices(engine: Engine): { readonly first: string; readonly kernels: readonly string[] } {
  const { solver, dispatches } = engine.explain("conv2d", SHAPES, OPTIONS);
  return { first: solver, kernels: dispatches.map(({ kernel }) => kernel) };
}

describe("a kernel that gives wrong results", () => {
  gpuTest("is set aside, and the next solver serves", async ({ engine: shared }) => {
    const { first, kernels } = choices(shared);
    using broken = await makeBroken(shared, wrongKernels(kernels));
    const { engine, x, w, warnings, compiled } = broken;
    // Those that wait for the verdict together, and one that comes after it.
    const waiting = [engine.conv2d(x, w, OPTIONS), engine.conv2d(x, w, OPTIONS)];
    for (const y of waiting) expect(await valuesOf(y)).toEqual(Y);
    expect(await valuesOf(engine.conv2d(x, w, OPTIONS))).toEqual(Y);
    await engine.finish();
    const [fault] = engine.kernelFaults;
    expect(engine.kernelFaults.length).toBe(1);
    expect(fault).toMatchObject({ solver: first, reason: "wrong results" });
    expect(fault.message).toMatch(/^element \d+ of a small problem is -?[\d.]+; expected -?\d+$/);
    expect(warnings).toEqual([expect.stringContaining(fault.message)]);
    const { solver, refused } = engine.explain("conv2d", SHAPES, OPTIONS);
    expect(solver).not.toBe(first);
    expect(refused.find((one) => one.solver === first)?.reason).toContain("set aside on this device (wrong results)");
    // Asked for by name it is refused: whoever names a solver gets that one or none.
    expect(() => engine.conv2d(x, w, { ...OPTIONS, solver: first })).toThrow(SolverError);
    expect(new Set(compiled).size).toBe(compiled.length);
  });

  gpuTest("is reported with all that its maintainers need", async ({ engine: shared }) => {
    const { kernels } = choices(shared);
    using broken = await makeBroken(shared, wrongKernels(kernels));
    const { engine, x, w } = broken;
    await valuesOf(engine.conv2d(x, w, OPTIONS));
    const [{ report, adapter, operation }] = engine.kernelFaults;
    expect(adapter).toContain(engine.adapter.description);
    for (const part of [adapter, operation, "## x [", "## w [", "## y, got", "## y, expected"]) {
      expect(report).toContain(part);
    }
    for (const kernel of kernels) expect(report).toContain(`## ${kernel}\n`);
    expect(report).toMatch(/```wgsl\n[^`]*fn main\(/);
    const values = (name: string): number[] => {
      const [, list = ""] = new RegExp(`## ${name}[^\\n]*\\n\\n([^\\n]*)`).exec(report) ?? [];
      return list
        .split(" ")
        .map(Number)
        .filter((value) => !Number.isNaN(value));
    };
    expect(values("y, got").length).toBeGreaterThan(100);
    expect(values("y, got")).not.toEqual(values("y, expected"));
  });

  gpuTest("in a compiled sequence, or a caller's encoder, is replaced as well", async ({ engine: shared }) => {
    const { kernels } = choices(shared);
    using sequences = await makeBroken(shared, wrongKernels(kernels));
    const { x, w } = sequences;
    using sequence = await sequences.engine.compile(() => sequences.engine.conv2d(x, w, OPTIONS));
    for (let run = 0; run < 3; run++) {
      sequence.run();
      expect([...(await sequence.result.data())]).toEqual(Y);
    }
    expect(sequences.engine.kernelFaults.length).toBe(1);
    using encoders = await makeBroken(shared, wrongKernels(kernels));
    const { engine } = encoders;
    const encoder = deviceOf(engine).createCommandEncoder();
    const { result, submitted } = await engine.encode(encoder, () => engine.conv2d(encoders.x, encoders.w, OPTIONS));
    deviceOf(engine).queue.submit([encoder.finish()]);
    submitted();
    expect(await valuesOf(result)).toEqual(Y);
    expect(engine.kernelFaults.length).toBe(1);
  });

  gpuTest("of an operation in pieces is replaced as well", async ({ engine: shared }) => {
    const small = withLimits(deviceOf(shared), { maxStorageBufferBindingSize: 16_384 });
    const { device, faults } = failingDevice(small.device);
    using whole = await createEngine({ device, onWarning: () => undefined });
    const { dispatches } = whole.explain("conv2d", SHAPES, OPTIONS);
    faults.rewrite = wrongKernels(
      [...new Set(dispatches.map(({ kernel }) => kernel))].filter((name) => !name.includes("copy")),
    );
    using x = whole.tensor(X, INPUT);
    using w = whole.tensor(W, WEIGHT);
    for (let run = 0; run < 2; run++) expect(await valuesOf(whole.conv2d(x, w, OPTIONS))).toEqual(Y);
    expect(whole.kernelFaults.map(({ reason }) => reason)).toContain("wrong results");
    expect(small.violations).toEqual([]);
    // Whoever names a solver gets that one or none, here as well.
    using fresh = await createEngine({ device, onWarning: () => undefined });
    using again = fresh.tensor(X, INPUT);
    using filters = fresh.tensor(W, WEIGHT);
    const { solver } = fresh.explain("conv2d", SHAPES, OPTIONS);
    using named = fresh.conv2d(again, filters, { ...OPTIONS, solver });
    await expect(named.data()).rejects.toThrow(/does not work on this device/);
    await expect(fresh.finish()).rejects.toThrow(DeviceError);
  });

  gpuTest("of a part of sums of float16 is replaced by another that keeps float32", async ({ engine: shared }) => {
    const small = withLimits(deviceOf(shared), { maxStorageBufferBindingSize: 16_384 });
    const { device, faults } = failingDevice(small.device);
    using engine = await createEngine({ device, onWarning: () => undefined });
    const [shape, options] = [[1, 2, 101, 91], { dtype: "float16" }] as const;
    const weight = [2, 2, 3, 3];
    const { pieces, dispatches } = engine.explain(
      "conv2dWeightGradient",
      { input: shape, weight },
      { padding: 1, ...options },
    );
    expect(pieces?.sumParts).toBeGreaterThan(1);
    const kernels = dispatches.map(({ kernel }) => kernel).filter((name) => !/^(convert|copy|reduce)/.test(name));
    faults.rewrite = wrongKernels([...new Set(kernels)]);
    using x = engine.tensor(new Float32Array(2 * 101 * 91).fill(1), shape, options);
    using dy = engine.tensor(new Float32Array(2 * 101 * 91).fill(1 / 8), shape, options);
    using dw = engine.conv2dWeightGradient(dy, x, weight, { padding: 1 });
    // Sums of 101 x 91 products, less at the edges, rounded to float16 once.
    const rows = [100, 101, 100].flatMap((height) => [90, 91, 90].map((width) => roundToHalf((height * width) / 8)));
    expect([...(await dw.data())]).toEqual([...rows, ...rows, ...rows, ...rows]);
    expect(new Set(engine.kernelFaults.map(({ reason }) => reason))).toEqual(new Set(["wrong results"]));
  });

  gpuTest("in gradients is replaced, where several solvers in a row are wrong, too", async ({ engine: shared }) => {
    const isGeneral = (label: string): boolean => label.startsWith("direct") || label.startsWith("reduce");
    using broken = await makeBroken(shared, (code, label) =>
      isGeneral(label) ? code : wrongKernels([label])(code, label),
    );
    const { engine, x, w } = broken;
    using dy = engine.tensor(DY, PROBLEM.outputShape);
    const { input: dx, weight: dw } = engine.conv2dBackward(dy, x, w, OPTIONS);
    expect(await valuesOf(dx)).toEqual([...inputGradient(PROBLEM, DY, W)]);
    expect(await valuesOf(dw)).toEqual([...weightGradient(PROBLEM, DY, X)]);
    expect(engine.kernelFaults.length).toBeGreaterThan(2);
    expect(new Set(engine.kernelFaults.map(({ reason }) => reason))).toEqual(new Set(["wrong results"]));
  });

  gpuTest("rejects what depends on it where no other is left, and nothing else", async ({ engine: shared }) => {
    using broken = await makeBroken(shared, wrongKernels(["activation"]));
    const { engine, x, w } = broken;
    const active = engine.activate(x, "relu");
    await expect(active.data()).rejects.toThrow(/^solver elementwise does not work on this device: element \d+ of/);
    await expect(active.data()).rejects.toThrow(DeviceError);
    active.dispose();
    await expect(engine.finish()).rejects.toThrow(DeviceError);
    expect(() => engine.activate(x, "relu")).toThrow(
      /^no solver for this activation works on this device: elementwise: /,
    );
    expect(await valuesOf(engine.conv2d(x, w, OPTIONS))).toEqual(Y);
    await engine.finish();
  });

  gpuTest("is used where vetting is turned off", async ({ engine: shared }) => {
    const { kernels } = choices(shared);
    using broken = await makeBroken(shared, wrongKernels(kernels), { vetKernels: false });
    const { engine, x, w } = broken;
    expect(await valuesOf(engine.conv2d(x, w, OPTIONS))).not.toEqual(Y);
    expect(engine.kernelFaults).toEqual([]);
  });
});

describe("a kernel that does not compile", () => {
  gpuTest("is set aside, and the next solver serves", async ({ engine: shared }) => {
    const { first, kernels } = choices(shared);
    using broken = await makeBroken(shared, (code, label) => (kernels.includes(label) ? notCompiling(code) : code));
    const { engine, x, w } = broken;
    const waiting = [engine.conv2d(x, w, OPTIONS), engine.conv2d(x, w, OPTIONS)];
    for (const y of waiting) expect(await valuesOf(y)).toEqual(Y);
    expect(engine.kernelFaults).toMatchObject([{ solver: first, reason: "did not compile" }]);
    expect(engine.kernelFaults[0].message).toMatch(/^kernel \w+ did not compile: line \d+/);
    await engine.finish();
  });

  gpuTest("is compiled once more where nothing else is left", async ({ engine: shared }) => {
    using broken = await makeBroken(shared, notCompiling);
    const { engine, faults, x, w } = broken;
    await expect(engine.conv2d(x, w, OPTIONS).data()).rejects.toThrow(/did not compile/);
    await expect(engine.finish()).rejects.toThrow(/did not compile/);
    faults.rewrite = undefined;
    expect(await valuesOf(engine.conv2d(x, w, OPTIONS))).toEqual(Y);
  });
});

describe("verdicts in a store", () => {
  gpuTest(
    "are used by the next engine: what passed is not tried again, what failed not used",
    async ({ engine: shared }) => {
      const { first, kernels } = choices(shared);
      const store = memoryStore();
      {
        using broken = await makeBroken(shared, wrongKernels(kernels), { tuningStore: store });
        expect(await valuesOf(broken.engine.conv2d(broken.x, broken.w, OPTIONS))).toEqual(Y);
        // They are saved a little later, many at once.
        await expect.poll(async () => JSON.stringify(await store.load())).toMatch(/"passed":\["[\s\S]*"wrong results"/);
      }
      using next = await makeBroken(shared, (code) => code, { tuningStore: store });
      const { engine, x, w, compiled, faults } = next;
      expect(engine.kernelFaults).toMatchObject([{ solver: first }]);
      let submits = 0;
      faults.onSubmit = () => submits++;
      expect(await valuesOf(engine.conv2d(x, w, OPTIONS))).toEqual(Y);
      expect(compiled).not.toContain(kernels[0]);
      expect(submits).toBe(1);
      // An engine that knows nothing submits a trial besides.
      using fresh = await makeBroken(shared, (code) => code);
      fresh.faults.onSubmit = () => submits++;
      expect(await valuesOf(fresh.engine.conv2d(fresh.x, fresh.w, OPTIONS))).toEqual(Y);
      expect(submits).toBeGreaterThan(2);
    },
  );
});
