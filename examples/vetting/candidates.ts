/** What is tried: passes of the benchmark's layers, or all that networks of examples/networks record to train. */
import { Engine } from "webgpu-conv";
import { adam, compileTraining, crossEntropy, parametersOf, Random } from "webgpu-conv/nn";
import { Context } from "../../src/api/context.js";
import { EngineCore } from "../../src/api/engineCore.js";
import { plainOperation } from "../../src/calls/calls.js";
import { GpuBackend } from "../../src/gpu/gpuBackend.js";
import type { TriedOperation, Vetting } from "../../src/gpu/pipelines/trial.js";
import type { Capabilities } from "../../src/planning/capabilities.js";
import type { SolverPlan } from "../../src/planning/solver.js";
import type { Direction } from "../../src/problem/operation.js";
import { makeProblem } from "../../src/problem/problem.js";
import { select } from "../../src/solvers/select.js";
import { Tuning } from "../../src/tuner/tuning.js";
import { Verdicts } from "../../src/vetting/verdicts.js";
import { LAYERS } from "../benchmark/layers.js";
import { makeNetwork, SYSTEMS } from "../networks/systems.js";

export interface Candidate {
  readonly operation: TriedOperation;
  readonly plan: SolverPlan;
  /** Of the layer, or the network. */
  readonly origin: string;
}

const DIRECTIONS: readonly Direction[] = ["forward", "inputGradient", "weightGradient"];
const BATCH = 16;
const EXTENT = 28;

export function ofLayers(capabilities: Capabilities): Candidate[] {
  return LAYERS.flatMap(({ origin, batch, inChannels, outChannels, kernel, extent, options }) => {
    const weight = [outChannels, inChannels / options.groups, kernel, kernel];
    const problem = makeProblem(2, [batch, inChannels, extent, extent], weight, options);
    return DIRECTIONS.map((direction) => {
      const operation = plainOperation(direction, problem, { dtype: "float32" });
      return { operation, plan: select(operation, capabilities).plan, origin };
    });
  });
}

/** Records a step of each network; it is never run. Operations of convolutions are left out. */
export async function ofNetworks(device: GPUDevice): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  let origin = "";
  const warn = (message: string): void => console.warn(message);
  const vetting: Vetting = {
    verdicts: new Verdicts(warn),
    refusal: () => undefined,
    trialOf(operation, plan) {
      if (!("direction" in operation)) candidates.push({ operation, plan, origin });
      return undefined;
    },
    relent: () => undefined,
  };
  const backend = new GpuBackend(device, { ownsDevice: false, poolBytes: 0, poison: false, vet: () => vetting });
  const tuning = new Tuning(backend, { mode: "off", store: undefined, warn });
  const engine = new Engine(new Context(new EngineCore(backend, tuning, undefined)));
  for (const system of Object.values(SYSTEMS)) {
    origin = system.title;
    const network = await makeNetwork(system, { engine, random: new Random(1) });
    const parameters = parametersOf(network);
    using optimizer = adam(engine, parameters, { lr: 1e-3 });
    using step = await compileTraining(engine, {
      inputs: { x: [BATCH, 1, EXTENT, EXTENT], labels: system.task.labelShape(BATCH, EXTENT) },
      compute: ({ x, labels }) => crossEntropy(network.forward(x), labels),
      parameters,
      optimizer,
    });
    await step.finish();
  }
  engine.dispose();
  return candidates;
}
