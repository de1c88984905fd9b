/** A small problem on which the kernels of a plan are tried. */
import type { DeviceParts } from "../gpu/parts.js";
import type { GpuStorage } from "../gpu/device/storage.js";
import type { TrialGround, TriedOperation } from "../gpu/pipelines/trial.js";
import type { SolverPlan } from "../planning/solver.js";
import type { TensorOperation } from "../planning/tensorOperation.js";
import type { Mismatch } from "./compare.js";

/** What a tensor holds. */
export interface TrialTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array<ArrayBuffer>;
}

export interface Experiment {
  /** The small problem, and the plan by which the same kernels run it. */
  readonly operation: TriedOperation;
  readonly plan: SolverPlan;
  readonly inputs: readonly TrialTensor[];
  /** Names of what is compared. */
  readonly results: readonly string[];
  /** Records it; what is compared, in order. */
  readonly run: (parts: DeviceParts) => readonly GpuStorage[];
  /** What the host computes, in order. */
  readonly expected: () => Promise<readonly Float64Array[]> | readonly Float64Array[];
  /** The first wrong element; undefined where there is none. */
  readonly mismatch: (got: Float32Array, expected: Float64Array, name: string) => Mismatch | undefined;
}

/** An operation that brings its experiments with it, so that pages without such operations need not load what makes them. */
export interface TriedTensors extends TensorOperation {
  /** Undefined where no small problem has the same kernels. */
  readonly experiment?: (plan: SolverPlan, ground: TrialGround) => Experiment | undefined;
}
