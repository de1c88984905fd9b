/** Trials of kernels, as those see them who would use the kernels. */
import type { KernelVerdicts } from "../../backend/kernelFault.js";
import type { DeviceError } from "../../base/errors.js";
import type { Capabilities } from "../../planning/capabilities.js";
import type { FaultyPlans, SolverPlan } from "../../planning/solver.js";
import type { TensorOperation } from "../../planning/tensorOperation.js";
import type { ConvOperation } from "../../problem/operation.js";
import type { Select } from "../../solvers/choose.js";
import type { PipelineCache } from "./pipelineCache.js";

/** The trial of a plan's kernels. Work that uses them waits for it. */
export interface Trial {
  readonly verdict: "pending" | "passed" | "failed";
  /** Why it failed; undefined where it did not. */
  readonly error: DeviceError | undefined;
  /** Resolves, never rejects, once there is a verdict. */
  readonly settled: Promise<void>;
}

/** Where kernels are tried. */
export interface TrialGround {
  readonly device: GPUDevice;
  readonly capabilities: Capabilities;
  readonly pipelines: PipelineCache;
  readonly select: Select;
}

/** What kernels are tried for. */
export type TriedOperation = ConvOperation | TensorOperation;

/** Tries kernels before their results are used, and knows those that failed. */
export interface Vetting extends FaultyPlans {
  readonly verdicts: KernelVerdicts;
  /** The trial of an operation's plan, begun where there was none; undefined where all of its kernels have passed. */
  trialOf(operation: TriedOperation, plan: SolverPlan, ground: TrialGround): Trial | undefined;
  /** No plan is left: kernels that failed for reasons that may pass are tried once more when they are asked for again. */
  relent(): void;
}
