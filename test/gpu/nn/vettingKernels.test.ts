/** Trials find each kernel of each plan of a network's operations that is wrong: every one is broken in turn. */
import { Engine, type Tensor } from "webgpu-conv";
import {
  accumulate,
  accuracy,
  adam,
  advanceDropout,
  avgPool2d,
  batchNorm,
  clipGradNorm,
  clipGradValue,
  concat,
  crossEntropy,
  dropout,
  dropoutState,
  globalMaxPool,
  groupNorm,
  interpolate,
  maxPool2d,
  mseLoss,
  pad,
  permute,
  softmax,
  Tape,
} from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { Context } from "../../../src/api/context.js";
import { EngineCore } from "../../../src/api/engineCore.js";
import { GpuBackend } from "../../../src/gpu/gpuBackend.js";
import { PipelineCache } from "../../../src/gpu/pipelines/pipelineCache.js";
import type { Vetting } from "../../../src/gpu/pipelines/trial.js";
import { readCapabilities } from "../../../src/planning/capabilities.js";
import type { SolverPlan } from "../../../src/planning/solver.js";
import type { TensorOperation } from "../../../src/planning/tensorOperation.js";
import { product } from "../../../src/problem/geometry.js";
import { select } from "../../../src/solvers/select.js";
import { Tuning } from "../../../src/tuner/tuning.js";
import type { Outcome } from "../../../src/vetting/outcome.js";
import { tryOut } from "../../../src/vetting/tryOut.js";
import { Verdicts } from "../../../src/vetting/verdicts.js";
import { failingDevice } from "../../support/failingDevice.js";
import { deviceOf, gpuTest } from "../../support/gpuTest.js";
import { wrongWrites } from "../../support/wrongKernels.js";

interface Planned {
  readonly operation: TensorOperation;
  readonly plan: SolverPlan;
}

/** What `record` plans on an engine of the device. */
async function plannedBy(device: GPUDevice, record: (engine: Engine) => void): Promise<Planned[]> {
  const planned: Planned[] = [];
  const warn = (): void => undefined;
  const vetting: Vetting = {
    verdicts: new Verdicts(warn),
    refusal: () => undefined,
    trialOf(operation, plan) {
      if (!("direction" in operation)) planned.push({ operation, plan });
      return undefined;
    },
    relent: () => undefined,
  };
  const backend = new GpuBackend(device, { ownsDevice: false, poolBytes: 0, poison: false, vet: () => vetting });
  const tuning = new Tuning(backend, { mode: "off", store: undefined, warn });
  using engine = new Engine(new Context(new EngineCore(backend, tuning, undefined)));
  record(engine);
  await engine.finish();
  return planned;
}

/** Larger than a trial, most of them, so that it is of other extents than the layer. */
const SHAPE = [4, 24, 29, 33];

const ones = (engine: Engine, shape: readonly number[]): Tensor =>
  engine.tensor(new Float32Array(product(shape)).fill(1), shape);

/** Its forward pass and its gradient. */
const both =
  (forward: (x: Tensor, engine: Engine) => Tensor, shape = SHAPE) =>
  (engine: Engine): void => {
    const x = ones(engine, shape);
    const tape = new Tape(engine);
    const y = tape.run(() => forward(x, engine));
    tape.gradients(y, [x], { upstream: ones(engine, y.shape) });
  };

const CASES: Readonly<Record<string, (engine: Engine) => void>> = {
  maxPool2d: both((x) => maxPool2d(x, { kernel: 3, stride: 2, padding: 1 })),
  avgPool2d: both((x) => avgPool2d(x, { kernel: 2, ceilMode: true })),
  globalMaxPool: both((x) => globalMaxPool(x)),
  softmax: both((x) => softmax(x)),
  groupNorm: both((x) => groupNorm(x, 4)),
  "batchNorm in place": (engine) => {
    const [runningMean, runningVar] = [ones(engine, [24]), ones(engine, [24])];
    batchNorm(ones(engine, SHAPE), { training: true, runningMean, runningVar });
  },
  concat: both((x) => concat([x, x])),
  interpolate: both((x) => interpolate(x, { scaleFactor: 2, mode: "bilinear" })),
  "pad and permute": both((x) => permute(pad(x, { padding: 2, paddingMode: "reflect" }), [0, 2, 3, 1])),
  dropout: (engine) => {
    const state = dropoutState(engine, 1);
    dropout(ones(engine, SHAPE), { state });
    advanceDropout(state);
  },
  mseLoss: both((x, engine) => mseLoss(x, ones(engine, x.shape))),
  crossEntropy: both((x, engine) => crossEntropy(x, ones(engine, [4, 29, 33]))),
  accuracy: (engine) => void accuracy(ones(engine, [4000, 10]), ones(engine, [4000])),
  "optimizers and gradients": (engine) => {
    const [w, b, dw, db] = [[64, 50], [64], [64, 50], [64]].map((shape) => ones(engine, shape));
    adam(engine, { w, b }, { lr: 1e-3, clipNorm: 1, weightDecay: 0.1 }).step({ w: dw, b: db });
    clipGradNorm([dw, db], 1);
    accumulate([dw, db], [w, b]);
  },
};

describe("a trial", () => {
  for (const [name, record] of Object.entries(CASES)) {
    gpuTest(`passes and fails each kernel of ${name} as it should`, async ({ bare }) => {
      const real = deviceOf(bare);
      const capabilities = readCapabilities(real);
      const planned = await plannedBy(real, record);
      expect(planned.length).toBeGreaterThan(0);
      const outcomeOf = async ({ operation, plan }: Planned, broken: readonly string[]): Promise<Outcome> => {
        const { device, faults } = failingDevice(real);
        const wrong = wrongWrites(broken);
        faults.rewrite = (code, label) => {
          const changed = wrong(code, label);
          expect(changed !== code, label).toBe(broken.includes(label));
          return changed;
        };
        const ground = { device, capabilities, pipelines: new PipelineCache(device), select };
        return await tryOut(operation, plan, ground, { platform: "" });
      };
      for (const one of planned) {
        expect(await outcomeOf(one, []), one.operation.name).toBe("passed");
        for (const kernel of new Set(one.plan.dispatches.map((step) => step.kernel.name))) {
          const outcome = await outcomeOf(one, [kernel]);
          expect(outcome, `${kernel} of ${one.operation.name}`).toMatchObject({ fault: { reason: "wrong results" } });
        }
      }
    });
  }
});

/** Kernels that leave out what a text says, whatever numbers they were planned for. */
const LEFT_OUT: Readonly<Record<string, readonly [record: (engine: Engine) => void, text: RegExp, instead: string]>> = {
  "clipping to the usual norm": [
    (engine) => void clipGradNorm([ones(engine, [64, 50])], 1),
    /adjusted\((tensor0\[element\])\)/,
    "$1",
  ],
  "clipping to a tiny norm": [
    (engine) => void clipGradNorm([ones(engine, [64, 50])], 1e-6),
    /adjusted\((tensor0\[element\])\)/,
    "0.0 * $1",
  ],
  "clipping values that are smaller": [
    (engine) => clipGradValue([ones(engine, [64, 50])], 5),
    /adjusted\((tensor0\[element\])\)/,
    "$1",
  ],
  "padding with a large value": [
    (engine) => void pad(ones(engine, SHAPE), { padding: 2, value: -1e9 }),
    /= (source\[elementAt[^;]*\])/,
    "= 2.0 * $1",
  ],
};

describe("a trial is not blinded by numbers", () => {
  for (const [name, [record, text, instead]] of Object.entries(LEFT_OUT)) {
    gpuTest(name, async ({ bare }) => {
      const real = deviceOf(bare);
      const capabilities = readCapabilities(real);
      const planned = await plannedBy(real, record);
      const { operation, plan } = planned[planned.length - 1];
      const { device, faults } = failingDevice(real);
      const ground = { device, capabilities, pipelines: new PipelineCache(device), select };
      expect(await tryOut(operation, plan, ground, { platform: "" })).toBe("passed");
      let changes = 0;
      faults.rewrite = (code) => {
        const changed = code.replace(text, instead);
        if (changed !== code) changes++;
        return changed;
      };
      const anew = { ...ground, pipelines: new PipelineCache(device) };
      const outcome = await tryOut(operation, plan, anew, { platform: "" });
      expect(changes).toBe(1);
      expect(outcome).toMatchObject({ fault: { reason: "wrong results" } });
    });
  }

  gpuTest("an activation at whose jump a tiny eps puts values", async ({ bare }) => {
    const real = deviceOf(bare);
    const planned = await plannedBy(real, (engine) => {
      const [weight, bias, runningMean] = [0, 1, 2].map(() => ones(engine, [24]));
      const runningVar = ones(engine, [24]);
      const x = ones(engine, SHAPE);
      const tape = new Tape(engine);
      const y = tape.run(() =>
        batchNorm(x, { weight, bias, runningMean, runningVar, training: false, eps: 1e-9, activation: "relu" }),
      );
      tape.gradients(y, [x, weight, bias], { upstream: ones(engine, y.shape) });
    });
    const ground = { device: real, capabilities: readCapabilities(real), pipelines: new PipelineCache(real), select };
    for (const { operation, plan } of planned)
      expect(await tryOut(operation, plan, ground, { platform: "" }), operation.name).toBe("passed");
  });
});
