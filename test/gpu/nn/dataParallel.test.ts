/** Data-parallel training: workers keep the bits of one engine that adds their parts in order. */
import type { Engine, Tensor } from "webgpu-conv";
import {
  accumulate,
  add,
  adam,
  compileDataParallel,
  crossEntropy,
  disposeModule,
  exchangesBetween,
  type GradientExchange,
  layers,
  type Module,
  NonFiniteError,
  parametersOf,
  Random,
  sgd,
  type StepMetrics,
  Tape,
  zeroGradients,
} from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { gpuTest } from "../../support/gpuTest.js";

const PART = 4;
const inputs = { x: [PART, 1, 6, 6], labels: [PART] };

function makeNet(engine: Engine): Module {
  const init = { engine, random: new Random(3) };
  return layers.sequential({
    conv: layers.conv2d(init, 1, 6, { kernel: 3, padding: 1, activation: "relu" }),
    pool: layers.globalPool(),
    fc: layers.linear(init, 6, 3),
  });
}

/** The part of a step's batch that a worker gets. */
function partOf(step: number, rank: number): { x: Float32Array; labels: Float32Array } {
  const random = new Random(1, [step, rank]);
  return {
    x: Float32Array.from({ length: PART * 36 }, () => random.uniform(-1, 1)),
    labels: Float32Array.from({ length: PART }, () => random.below(3)),
  };
}

type Inputs = Readonly<Record<"x" | "labels", Tensor>>;
const lossOf = (net: Module, { x, labels }: Inputs): Tensor => crossEntropy(net.forward(x), labels);

async function valuesOf(tensors: Readonly<Record<string, Tensor>>): Promise<Record<string, readonly number[]>> {
  const values = Object.entries(tensors).map(async ([name, tensor]) => [name, [...(await tensor.data())]] as const);
  return Object.fromEntries(await Promise.all(values));
}

interface Worker {
  readonly net: Module;
  readonly step: Awaited<ReturnType<typeof compileDataParallel<"x" | "labels">>>;
  readonly metrics: StepMetrics[];
  [Symbol.dispose](): void;
}

async function makeWorker(engine: Engine, exchange: GradientExchange): Promise<Worker> {
  const net = makeNet(engine);
  const parameters = parametersOf(net);
  const optimizer = adam(engine, parameters, { lr: 0.03 });
  const metrics: StepMetrics[] = [];
  const giveBack = (): void => {
    optimizer.dispose();
    disposeModule(net);
  };
  const step = await compileDataParallel(engine, {
    inputs,
    compute: (made: Inputs) => lossOf(net, made),
    parameters,
    optimizer,
    exchange,
    onMetrics: (one) => metrics.push(one),
  }).catch((error: unknown) => {
    giveBack();
    throw error;
  });
  return {
    net,
    step,
    metrics,
    [Symbol.dispose]() {
      step.dispose();
      giveBack();
    },
  };
}

/** One engine that computes all parts, one after the other, and adds their gradients in that order. */
async function byOneEngine(engine: Engine, workers: number, steps: number): Promise<Record<string, readonly number[]>> {
  const net = makeNet(engine);
  const parameters = parametersOf(net);
  const optimizer = adam(engine, parameters, { lr: 0.03 });
  optimizer.gradientScale = 1 / workers;
  const sums = Object.fromEntries(
    Object.entries(parameters).map(([name, { shape, size }]) => [name, engine.tensor(new Float32Array(size), shape)]),
  );
  for (let step = 0; step < steps; step++) {
    zeroGradients(sums);
    for (let rank = 0; rank < workers; rank++) {
      const part = partOf(step, rank);
      using x = engine.tensor(part.x, inputs.x);
      using labels = engine.tensor(part.labels, inputs.labels);
      using tape = new Tape(engine);
      using loss = tape.run(() => lossOf(net, { x, labels }));
      const gradients = tape.gradients(loss, parameters);
      accumulate(sums, gradients);
      for (const gradient of Object.values(gradients)) gradient.dispose();
    }
    optimizer.step(sums);
  }
  const values = await valuesOf(parameters);
  for (const sum of Object.values(sums)) sum.dispose();
  optimizer.dispose();
  disposeModule(net);
  return values;
}

describe("data-parallel steps", () => {
  gpuTest.for([1, 2, 3])("%d workers have the bits of one engine", async (workers, { bare: engine }) => {
    const steps = 5;
    const expected = await byOneEngine(engine, workers, steps);
    const exchanges = exchangesBetween(workers);
    const engines = await Promise.all(exchanges.map(async (_, rank) => (rank === 0 ? engine : await createEngine())));
    const team = await Promise.all(exchanges.map((exchange, rank) => makeWorker(engines[rank], exchange)));
    for (let step = 0; step < steps; step++) {
      await Promise.all(team.map((worker, rank) => worker.step.run(partOf(step, rank))));
    }
    for (const { net, metrics, step } of team) {
      expect(await valuesOf(parametersOf(net))).toEqual(expected);
      expect(metrics).toEqual(team[0].metrics);
      expect(metrics.map((one) => one.step)).toEqual([1, 2, 3, 4, 5]);
      expect(step.steps).toBe(steps);
    }
    for (const worker of team) worker[Symbol.dispose]();
    for (const other of engines.slice(1)) other.dispose();
  });

  gpuTest("the loss is the mean of all workers'", async ({ bare: engine }) => {
    const [first, second] = exchangesBetween(2);
    using one = await makeWorker(engine, first);
    using two = await makeWorker(engine, second);
    const own = await Promise.all(
      [one, two].map(async ({ net }, rank) => {
        const part = partOf(0, rank);
        using x = engine.tensor(part.x, inputs.x);
        using labels = engine.tensor(part.labels, inputs.labels);
        using tape = new Tape(engine);
        using loss = tape.run(() => lossOf(net, { x, labels }));
        return (await loss.data())[0];
      }),
    );
    await Promise.all([one, two].map(({ step }, rank) => step.run(partOf(0, rank))));
    expect(one.metrics[0].loss).toBe(Math.fround(Math.fround(own[0] + own[1]) / 2));
  });

  gpuTest("float16 and float32 parameters go together, several metrics too", async ({ bare: engine }) => {
    const team = await Promise.all(
      exchangesBetween(2).map(async (exchange) => {
        const values = [0.5, -1, 0.25];
        const full = engine.tensor(values, [1, 3]);
        const half = engine.tensor(values, [1, 3], { dtype: "float16" });
        const optimizer = sgd(engine, { full, half }, { lr: 0.1 });
        const metrics: StepMetrics[] = [];
        const step = await compileDataParallel(engine, {
          inputs: { label: [1] },
          compute({ label }) {
            const [ofFull, ofHalf] = [crossEntropy(full, label), crossEntropy(half, label)];
            return { ofHalf, loss: add(ofFull, ofHalf) };
          },
          parameters: { full, half },
          optimizer,
          exchange,
          onMetrics: (one) => metrics.push(one),
        });
        return { full, half, optimizer, step, metrics };
      }),
    );
    await Promise.all(team.map(({ step }, rank) => step.run({ label: [rank] })));
    for (const { full, half, metrics } of team) {
      // Softmax less the mean of both labels, 1/2 for the first two classes, times the rate.
      const shares = [0.5, -1, 0.25].map(Math.exp).map((value, _, all) => value / all.reduce((sum, one) => sum + one));
      const expected = [0.5, -1, 0.25].map((value, i) => value - 0.1 * (shares[i] - (i < 2 ? 0.5 : 0)));
      for (const [i, value] of (await full.data()).entries()) expect(value).toBeCloseTo(expected[i], 6);
      for (const [i, value] of (await half.data()).entries()) expect(value).toBeCloseTo(expected[i], 2);
      const loss = -(Math.log(shares[0]) + Math.log(shares[1])) / 2;
      expect(metrics[0].ofHalf).toBeCloseTo(loss, 5);
      expect(metrics[0].loss).toBeCloseTo(2 * loss, 5);
    }
    for (const one of team) for (const made of [one.full, one.half, one.optimizer, one.step]) made.dispose();
  });

  gpuTest("a loss that is NaN stops all workers, before anything is updated", async ({ bare: engine }) => {
    const [first, second] = exchangesBetween(2);
    using one = await makeWorker(engine, first);
    using two = await makeWorker(engine, second);
    const before = await valuesOf(parametersOf(one.net));
    const bad = partOf(0, 1);
    bad.x[7] = NaN;
    const [here, there] = await Promise.allSettled([one.step.run(partOf(0, 0)), two.step.run(bad)]);
    const [reasonHere, reasonThere] = [here, there].map((one) => (one as PromiseRejectedResult).reason as unknown);
    expect(reasonHere).toBeInstanceOf(NonFiniteError);
    expect(String(reasonHere)).toContain("the loss of step 1 is NaN: it begins on worker 1");
    expect(String(reasonThere)).toContain("the loss of step 1 is NaN: input x, of shape [4, 1, 6, 6], has 1 NaN");
    await expect(one.step.run(partOf(1, 0))).rejects.toBe(reasonHere);
    for (const { net } of [one, two]) expect(await valuesOf(parametersOf(net))).toEqual(before);
  });

  gpuTest("what does not fit is refused, and the next step runs", async ({ bare: engine }) => {
    const [alone] = exchangesBetween(1);
    const exchange = (given: unknown) => makeWorker(engine, given as GradientExchange);
    await expect(exchange(undefined)).rejects.toThrow("exchange is undefined; expected { rank, workers, gather }");
    await expect(exchange({ ...alone, rank: 1 })).rejects.toThrow("exchange.rank is 1; expected 0 to 0, of 1 workers");
    using worker = await makeWorker(engine, alone);
    await expect(worker.step.run({ x: [1] } as never)).rejects.toThrow("run() lacks values for labels");
    const running = worker.step.run(partOf(0, 0));
    await expect(worker.step.run(partOf(0, 0))).rejects.toThrow("a step is still running");
    await running;
    expect(worker.metrics).toHaveLength(1);
    expect(worker.step.dispatches).toBeGreaterThan(5);
  });

  gpuTest("an exchange that fails ends the run", async ({ bare: engine }) => {
    const gone = new Error("the other page was closed");
    using broken = await makeWorker(engine, { rank: 0, workers: 2, gather: () => Promise.reject(gone) });
    await expect(broken.step.run(partOf(0, 0))).rejects.toBe(gone);
    await expect(broken.step.run(partOf(0, 0))).rejects.toBe(gone);
    const lacking: GradientExchange = { rank: 0, workers: 2, gather: (values) => Promise.resolve([values]) };
    using short = await makeWorker(engine, lacking);
    await expect(short.step.run(partOf(0, 0))).rejects.toThrow(/expected 2 Float32Arrays of \d+ values, by rank/);
  });
});
