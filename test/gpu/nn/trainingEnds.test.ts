/** How training ends: what is said of a loss that is no number, and of arguments that are none. */
import type { Engine, Tensor } from "webgpu-conv";
import {
  add,
  compileTraining,
  crossEntropy,
  disposeModule,
  findNonFinite,
  layers,
  mean,
  mul,
  NonFiniteError,
  parametersOf,
  Random,
  sgd,
  Tape,
  type TrainingOptions,
} from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { gpuTest } from "../../support/gpuTest.js";

const inputs = { x: [2, 4], labels: [2] };
const GOOD = { x: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), labels: [0, 1] };
const EXTREME = { ...GOOD, x: new Float32Array(8).fill(1e30) };
type Inputs = Record<"x" | "labels", Tensor>;
type Options = TrainingOptions<"x" | "labels">;

/** Calls `body` with a layer to be trained, which it must leave as the only thing that there is. */
function withNet(body: (parts: Omit<Options, "inputs">, engine: Engine) => Promise<void>) {
  return async ({ bare: engine }: { bare: Engine }): Promise<void> => {
    const net = layers.linear({ engine, random: new Random(1) }, 4, 3);
    const parameters = parametersOf(net);
    const compute = ({ x, labels }: Inputs): Tensor => crossEntropy(net.forward(x), labels);
    const optimizer = sgd(engine, parameters, { lr: 0.01 });
    await body({ compute, parameters, optimizer }, engine);
    optimizer.dispose();
    disposeModule(net);
  };
}

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("a loss that is no number", () => {
  gpuTest(
    "names the input that has NaN, though parameters have it by then",
    withNet(async (parts, engine) => {
      using step = await compileTraining(engine, { ...parts, inputs });
      await step.run(GOOD);
      await step.run({ ...GOOD, x: Float32Array.of(1, 2, NaN, 4, Infinity, 6, NaN, 8) });
      const error = await errorOf(step.finish());
      expect(error).toBeInstanceOf(NonFiniteError);
      expect(String(error)).toMatch(
        /the loss of step 2 is NaN: input x, of shape \[2, 4\], has 2 NaN and 1 infinities/,
      );
    }),
  );

  gpuTest(
    "names parameters that are no longer finite, and what would have kept them",
    withNet(async (parts, engine) => {
      using optimizer = sgd(engine, parts.parameters, { lr: 3e38 });
      using step = await compileTraining(engine, { ...parts, optimizer, inputs });
      let error: unknown;
      for (let i = 0; i < 5 && error === undefined; i++) error = await errorOf(step.run(GOOD));
      error ??= await errorOf(step.finish());
      expect(String(error)).toMatch(/parameters are no longer finite \(weight.*smaller learning rate.*skipNonFinite/s);
      expect((error as NonFiniteError).where).toBeUndefined();
    }),
  );

  gpuTest(
    "says why its place was not found; what is run meanwhile waits for that",
    withNet(async (parts, engine) => {
      using optimizer = sgd(engine, parts.parameters, { lr: 0.1, skipNonFinite: true });
      const meanwhile: Promise<unknown>[] = [];
      let step: Awaited<ReturnType<typeof compileTraining<"x" | "labels">>> | undefined = undefined;
      const compute = (given: Inputs): Tensor => {
        // Called once more to find the place.
        if (step) meanwhile.push(errorOf(step.run(GOOD)));
        if (step) throw new RangeError("mine");
        using square = mul(given.x, given.x);
        return add(mean(square), parts.compute(given) as Tensor);
      };
      step = await compileTraining(engine, { ...parts, inputs, compute, optimizer });
      await step.run(EXTREME);
      const error = await errorOf(step.finish());
      expect(error).toBeInstanceOf(NonFiniteError);
      expect(String(error)).toMatch(/the loss of step 1 is .*: its place was not found: RangeError: mine/);
      expect((error as NonFiniteError).cause).toEqual(new RangeError("mine"));
      expect(await Promise.all(meanwhile)).toEqual([error]);
      expect(step.steps).toBe(1);
      step.dispose();
    }),
  );
});

describe("a step of training", () => {
  gpuTest(
    "tells several metrics",
    withNet(async (parts, engine) => {
      const told: unknown[] = [];
      const compute = (given: Inputs) => {
        const loss = parts.compute(given) as Tensor;
        return { loss, twice: mul(loss, 2) };
      };
      const onMetrics = (metrics: unknown): void => void told.push(metrics);
      using step = await compileTraining(engine, { ...parts, inputs, compute, onMetrics });
      await step.run(GOOD);
      await step.finish();
      const [{ loss }] = told as [{ loss: number }];
      expect(told).toEqual([{ step: 1, loss, twice: 2 * loss }]);
    }),
  );

  gpuTest(
    "says what is wrong with what it is made of, and given",
    withNet(async (parts, engine) => {
      const wrong = (changed: object): Promise<unknown> =>
        errorOf(compileTraining(engine, { ...parts, inputs, ...changed }));
      const loss = parts.compute as (given: Inputs) => Tensor;
      for (const [changed, message] of [
        [{ inputs: undefined }, "inputs is undefined; expected shapes by name"],
        [{ compute: 1 }, "compute is 1; expected a function of the inputs"],
        [{ compute: () => undefined }, "compute returned undefined; expected the loss, a tensor, or { loss }"],
        [{ compute: () => null }, "compute returned null; expected the loss"],
        [{ compute: async (given: Inputs) => Promise.resolve(loss(given)) }, "compute returned a promise; expected"],
        [
          { compute: (given: Inputs) => ({ loss: loss(given), step: loss(given) }) },
          "a metric named step; expected another",
        ],
        [{ parameters: undefined }, "parameters is undefined; expected tensors by name: parametersOf(model"],
        [{ optimizer: {} }, "optimizer is Object; expected one with step(gradients)"],
        [{ onMetrics: 3 }, "onMetrics is 3; expected a function of the metrics"],
      ] as const) {
        expect(String(await wrong(changed))).toContain(message);
      }
      const step = await compileTraining(engine, { ...parts, inputs });
      expect(String(await errorOf(step.run(undefined as never)))).toContain(
        "run() got undefined; expected values by name: { x, labels }",
      );
      step.dispose();
      // Its writes fail as well: nobody is told a second time.
      expect(String(await errorOf(step.run(GOOD)))).toMatch(/disposed/);
      await engine.finish();
    }),
  );

  gpuTest("findNonFinite leaves nothing behind where the function throws, or waits", async ({ bare: engine }) => {
    using x = engine.tensor([1, 2], [1, 2]);
    const before = engine.memory().liveTensors;
    const throwing = findNonFinite(engine, () => {
      mul(x, x);
      throw new RangeError("mine");
    });
    await expect(throwing).rejects.toThrow("mine");
    await expect(findNonFinite(engine, async () => Promise.resolve(mul(x, x)))).rejects.toThrow(
      "compute returned a promise; expected a function that calls operations and waits for nothing",
    );
    await expect(findNonFinite(engine, undefined as never)).rejects.toThrow(
      "compute is undefined; expected a function",
    );
    expect(engine.memory().liveTensors).toBe(before);
    // A promise of any kind, and one that rejects: nobody else is told.
    using tape = new Tape(engine);
    const thenable = { then: (_: unknown, reject: (reason: Error) => void) => reject(new Error("unheard")) };
    expect(() => tape.run(() => thenable)).toThrow("compute returned a promise");
    expect(() => tape.run(() => Promise.reject(new Error("unheard")))).toThrow("compute returned a promise");
  });
});
