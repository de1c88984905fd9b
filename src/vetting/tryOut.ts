/** Tries a plan's kernels on a small problem of integers, beside the reference. */
import { loadLazily } from "../base/lazy.js";
import { type DeviceParts, disposeParts, makeParts } from "../gpu/parts.js";
import { CompileError } from "../gpu/pipelines/compile.js";
import type { TrialGround, TriedOperation } from "../gpu/pipelines/trial.js";
import { readValues } from "../gpu/reads.js";
import { policyOf } from "../planning/policy.js";
import { type SolverPlan, unusedOf } from "../planning/solver.js";
import type { Selection } from "../solvers/choose.js";
import type { FaultReason } from "../backend/kernelFault.js";
import { convExperiment } from "./convExperiment.js";
import type { Experiment, TriedTensors } from "./experiment.js";
import { textKeys } from "./keys.js";
import { type Failure, failureOf, type Outcome, type TrialLimits } from "./outcome.js";
import type { Tried } from "./report.js";
import { within } from "./within.js";

export interface TrialOptions extends TrialLimits {
  /** The adapter and the browser, in words. */
  readonly platform: string;
}

/** A trial may take so many times what the system lets a dispatch take, but at least so long: compilers of GPUs take seconds. */
const PATIENCE = { watchdogs: 10, least: 30_000 };

/**
 * Runs the plan's kernels on a small problem.
 *
 * @returns "undecided" where no small problem has the same kernels
 * @throws DeviceError where the device fails for other reasons than the kernels
 */
export async function tryOut(
  operation: TriedOperation,
  plan: SolverPlan,
  ground: TrialGround,
  { platform, patience = patienceOf(ground) }: TrialOptions,
): Promise<Outcome> {
  const experiment = experimentOf(operation, plan, ground);
  if (!experiment) return "undecided";
  const parts = partsFor(experiment, ground);
  const tried: Tried = { ...experiment, platform };
  try {
    const computing = compute(parts, experiment);
    computing.catch(() => undefined);
    const expected = await experiment.expected();
    const { pipelines } = parts;
    // A kernel may wait for others to be compiled, however long these take.
    const progress = (): number => (unready(parts, experiment) === undefined ? 0 : pipelines.settled);
    const got = await within(patience, computing, progress);
    if (!got) {
      const pending = unready(parts, experiment);
      const message = `${pending ? "compiling it" : "a small problem"} did not end within ${String(patience / 1000)} seconds`;
      return { ...(await failed(tried, "never finished", message)), text: pending };
    }
    for (const [i, name] of experiment.results.entries()) {
      const wrong = experiment.mismatch(got[i], expected[i], name);
      if (!wrong) continue;
      const message = `element ${String(wrong.index)} of a small problem is ${String(wrong.got)}; expected ${String(wrong.expected)}`;
      return await failed(
        { ...tried, compared: { name, got: got[i], expected: expected[i] } },
        "wrong results",
        message,
      );
    }
    return "passed";
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    // The error itself is what whoever asked for this solver gets.
    return { ...(await failed(tried, "did not compile", error.message)), error };
  } finally {
    disposeParts(parts);
  }
}

/** The failure of kernels during whose trials the device was lost again and again. */
export async function lossOf(
  operation: TriedOperation,
  plan: SolverPlan,
  platform: string,
  message: string,
): Promise<Failure> {
  return await failed({ operation, plan, platform, inputs: [] }, "lost the device", message);
}

/** Undefined where no small problem has the same kernels. */
function experimentOf(operation: TriedOperation, plan: SolverPlan, ground: TrialGround): Experiment | undefined {
  if ("direction" in operation) return convExperiment(operation, plan, ground);
  const { experiment }: TriedTensors = operation;
  return experiment?.(plan, ground);
}

async function failed(tried: Tried, reason: FaultReason, message: string): Promise<Failure> {
  const { makeFault } = await loadLazily("reports", () => import("./report.js"));
  return failureOf(await makeFault(tried, reason, message));
}

/** Parts of a backend of its own: the engine's work waits for the trial. Kernels are compiled once for both. */
function partsFor({ plan }: Experiment, { device, capabilities, pipelines }: TrialGround): DeviceParts {
  const select = (): Selection => ({ plan, passedOver: [] });
  return makeParts(device, capabilities, select, { poolBytes: 0, poison: true, pipelines });
}

async function compute(parts: DeviceParts, { run }: Experiment): Promise<Float32Array[]> {
  return await Promise.all(run(parts).map((result) => readValues(parts, result)));
}

/** The text of a kernel that has not compiled yet; undefined where all have. */
function unready({ pipelines }: DeviceParts, { plan }: Experiment): string | undefined {
  const waiting = plan.dispatches.filter(
    ({ kernel, constants, types, bindings }) =>
      !pipelines.get(kernel, constants, types, kernel.name, unusedOf(kernel, bindings)).pipeline,
  );
  return waiting.length > 0 ? textKeys({ ...plan, dispatches: waiting })[0] : undefined;
}

function patienceOf({ capabilities }: TrialGround): number {
  const { watchdogMilliseconds } = policyOf(capabilities).device;
  return Math.max(PATIENCE.least, PATIENCE.watchdogs * watchdogMilliseconds);
}
