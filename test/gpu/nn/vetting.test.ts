/** Kernels of networks that a device gets wrong are set aside before a result of theirs is used, as those of convolutions are. */
import { DeviceError, type Engine, memoryStore, type Tensor } from "webgpu-conv";
import {
  add,
  batchNorm,
  compileTraining,
  crossEntropy,
  disposeModule,
  explainNetwork,
  instanceNorm,
  layers,
  parametersOf,
  Random,
  sgd,
  softmax,
} from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { type BrokenEngine, brokenEngine, notCompiling, valuesOf } from "../../support/brokenEngine.js";
import { gpuTest } from "../../support/gpuTest.js";
import { wrongWrites } from "../../support/wrongKernels.js";

const SHAPE = [2, 3, 5, 4];
const VALUES = Float32Array.from({ length: 120 }, (_, i) => ((i * 7) % 11) - 4);
/** Of the solver that an engine would choose for a normalisation of these. */
const ONE_READ = "normalize_sets";

interface Broken extends BrokenEngine {
  readonly x: Tensor;
}

async function makeBroken(...given: Parameters<typeof brokenEngine>): Promise<Broken> {
  const broken = await brokenEngine(...given);
  return { ...broken, x: broken.engine.tensor(VALUES, SHAPE) };
}

const right = (code: string): string => code;

const notCompilingOne =
  (kernel: string) =>
  (code: string, label: string): string =>
    label === kernel ? notCompiling(code) : code;

/** The normalised values by kernels that work. */
const normalized = (engine: Engine): Promise<number[]> => {
  using x = engine.tensor(VALUES, SHAPE);
  return valuesOf(instanceNorm(x));
};

const near = (values: readonly number[], expected: readonly number[]): void => {
  expect(values.length).toBe(expected.length);
  for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected[i], 4);
};

describe("a kernel of a network that gives wrong results", () => {
  gpuTest("is set aside with a report, and the next solver serves", async ({ bare: shared }) => {
    const expected = await normalized(shared);
    using broken = await makeBroken(shared, wrongWrites([ONE_READ]));
    const { engine, x, warnings, compiled } = broken;
    const waiting = [instanceNorm(x), instanceNorm(x)];
    for (const y of waiting) near(await valuesOf(y), expected);
    near(await valuesOf(instanceNorm(x)), expected);
    await engine.finish();
    const [fault] = engine.kernelFaults;
    expect(engine.kernelFaults.length).toBe(1);
    expect(fault).toMatchObject({ solver: "instanceNorm one-read", reason: "wrong results" });
    expect(fault.message).toMatch(/^element \d+ of a small problem is -?[\d.e-]+; expected -?[\d.e-]+$/);
    expect(warnings).toEqual([expect.stringContaining(fault.message)]);
    const parts = [engine.adapter.description, "instanceNorm of x [", "## x [", "## y, got", "## y, expected"];
    for (const part of [...parts, `## ${ONE_READ}\n`]) expect(fault.report).toContain(part);
    expect(fault.report).toMatch(/```wgsl\n[^`]*fn main\(/);
    expect(new Set(compiled)).toContain("normalize");
  });

  gpuTest("is passed over by what explains a network, too", async ({ bare: shared }) => {
    using broken = await makeBroken(shared, wrongWrites([ONE_READ]));
    const { engine, x } = broken;
    const norm = layers.groupNorm({ engine, random: new Random(1) }, 3, 3);
    const solverOf = (): string | undefined => explainNetwork(norm, SHAPE).layers[0].operations[0].plan?.solver;
    expect(solverOf()).toBe("one-read");
    await valuesOf(norm.forward(x));
    expect(solverOf()).toBe("two-pass");
    disposeModule(norm);
  });

  gpuTest("changes nothing in place before the next solver does", async ({ bare: shared }) => {
    const runOn = async (engine: Engine): Promise<number[][]> => {
      using x = engine.tensor(VALUES, SHAPE);
      using runningMean = engine.tensor(Float32Array.of(1, 2, 3), [3]);
      using runningVar = engine.tensor(Float32Array.of(3, 2, 1), [3]);
      using sequence = await engine.compile(() => batchNorm(x, { training: true, runningMean, runningVar }));
      for (let run = 0; run < 2; run++) sequence.run();
      const lists = [sequence.result, runningMean, runningVar].map(async (tensor) => [...(await tensor.data())]);
      const values = await Promise.all(lists);
      sequence.result.dispose();
      return values;
    };
    const expected = await runOn(shared);
    using broken = await makeBroken(shared, wrongWrites([ONE_READ]));
    for (const [i, values] of (await runOn(broken.engine)).entries()) near(values, expected[i]);
    expect(broken.engine.kernelFaults.length).toBe(1);
  });

  gpuTest("rejects what depends on it where no other is left, and nothing else", async ({ bare: shared }) => {
    using broken = await makeBroken(shared, wrongWrites(["softmax"]));
    const { engine, x } = broken;
    const y = softmax(x);
    const message = /^solver softmax rows does not work on this device: element \d+ of a small problem is/;
    await expect(y.data()).rejects.toThrow(message);
    await expect(y.data()).rejects.toThrow(DeviceError);
    y.dispose();
    await expect(engine.finish()).rejects.toThrow(DeviceError);
    expect(() => softmax(x)).toThrow(/^no solver for softmax works on this device: rows: it is set aside/);
    expect(await valuesOf(add(x, x))).toEqual([...VALUES].map((value) => 2 * value));
    await engine.finish();
  });

  gpuTest("is used where vetting is turned off", async ({ bare: shared }) => {
    const expected = await normalized(shared);
    using broken = await makeBroken(shared, wrongWrites([ONE_READ]), { vetKernels: false });
    near(
      await valuesOf(instanceNorm(broken.x)),
      expected.map((value) => 2 * value),
    );
    expect(broken.engine.kernelFaults).toEqual([]);
  });
});

describe("a kernel of a network that does not compile", () => {
  gpuTest("is set aside, and the next solver serves", async ({ bare: shared }) => {
    const expected = await normalized(shared);
    using broken = await makeBroken(shared, notCompilingOne(ONE_READ));
    const { engine, x } = broken;
    near(await valuesOf(instanceNorm(x)), expected);
    expect(engine.kernelFaults).toMatchObject([{ solver: "instanceNorm one-read", reason: "did not compile" }]);
    expect(engine.kernelFaults[0].message).toMatch(/^kernel normalize_sets did not compile: line \d+/);
    await engine.finish();
  });

  gpuTest("is compiled once more where nothing else is left", async ({ bare: shared }) => {
    using broken = await makeBroken(shared, notCompilingOne("softmax"));
    const { engine, faults, x } = broken;
    await expect(softmax(x).data()).rejects.toThrow(/did not compile/);
    await expect(engine.finish()).rejects.toThrow(/did not compile/);
    faults.rewrite = undefined;
    using y = softmax(x);
    expect((await y.data()).every((value) => value >= 0)).toBe(true);
  });
});

describe("verdicts on kernels of networks", () => {
  gpuTest("are remembered by a store", async ({ bare: shared }) => {
    const store = memoryStore();
    {
      using broken = await makeBroken(shared, wrongWrites([ONE_READ]), { tuningStore: store });
      await valuesOf(instanceNorm(broken.x));
      // They are saved a little later, many at once.
      await expect.poll(async () => JSON.stringify(await store.load())).toMatch(/"passed":\["[\s\S]*"wrong results"/);
    }
    using next = await makeBroken(shared, right, { tuningStore: store });
    let submits = 0;
    next.faults.onSubmit = () => submits++;
    await valuesOf(instanceNorm(next.x));
    expect(next.compiled).not.toContain(ONE_READ);
    expect(submits).toBe(1);
    // An engine that knows nothing submits a trial besides.
    using fresh = await makeBroken(shared, right);
    fresh.faults.onSubmit = () => submits++;
    await valuesOf(instanceNorm(fresh.x));
    expect(submits).toBeGreaterThan(2);
  });
});

describe("a recorded step of training", () => {
  const inputs = { x: [4, 2, 6, 6], labels: [4] };
  /** Losses of steps, parameters after them, and dispatches of a step. */
  async function train(engine: Engine): Promise<{ losses: number[]; values: number[]; dispatches: number }> {
    const init = { engine, random: new Random(3) };
    const net = layers.sequential({
      conv: layers.conv2d(init, 2, 4, { kernel: 3, padding: 1 }),
      norm: layers.batchNorm(init, 4, { activation: "relu" }),
      pool: layers.globalPool(),
      fc: layers.linear(init, 4, 3),
    });
    const parameters = parametersOf(net);
    const losses: number[] = [];
    const optimizer = sgd(engine, parameters, { lr: 0.1, momentum: 0.9 });
    const step = await compileTraining(engine, {
      inputs,
      compute: ({ x, labels }) => crossEntropy(net.forward(x), labels),
      parameters,
      optimizer,
      onMetrics: ({ loss }) => losses.push(loss),
    });
    const x = Float32Array.from({ length: 288 }, (_, i) => Math.sin(i));
    for (let i = 0; i < 3; i++) await step.run({ x, labels: Int32Array.of(0, 1, 2, 0) });
    await step.finish();
    const { dispatches } = step;
    const values = await Promise.all(Object.values(parameters).map(async (one) => [...(await one.data())]));
    step.dispose();
    optimizer.dispose();
    disposeModule(net);
    return { losses, values: values.flat(), dispatches };
  }

  gpuTest("has the same bits and dispatches with trials and without", async ({ bare: shared }) => {
    using tried = await makeBroken(shared, right);
    using untried = await makeBroken(shared, right, { vetKernels: false });
    const expected = await train(untried.engine);
    expect(expected.losses.length).toBe(3);
    expect(await train(tried.engine)).toEqual(expected);
    expect(tried.engine.kernelFaults).toEqual([]);
  });

  gpuTest("goes on by the next solver, and does not begin where none is left", async ({ bare: shared }) => {
    using plain = await makeBroken(shared, right);
    const expected = await train(plain.engine);
    using broken = await makeBroken(shared, wrongWrites([ONE_READ, "normalize_sets_gradient"]));
    const { losses, values } = await train(broken.engine);
    near(losses, expected.losses);
    near(values, expected.values);
    expect(broken.engine.kernelFaults.map(({ solver }) => solver).sort()).toEqual([
      "batchNorm one-read",
      "batchNormGradient one-read",
    ]);
    using hopeless = await makeBroken(shared, wrongWrites(["update_parameters"]));
    await expect(train(hopeless.engine)).rejects.toThrow(/^solver sgd in-place does not work on this device: element/);
  });
});
