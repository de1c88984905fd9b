/** What trials find. */
import type { KernelFault } from "../backend/kernelFault.js";
import { DeviceError } from "../base/errors.js";

/** A trial that failed. */
export interface Failure {
  readonly error: DeviceError;
  readonly fault: KernelFault;
  /** The text that is the cause, as `textKeys` names it, where that is known: no plan may use it. */
  readonly text?: string | undefined;
}

export interface TrialLimits {
  /** Milliseconds that a trial may take, compilation included; what suits the device when absent. */
  readonly patience?: number | undefined;
}

/** Undecided: there was no trial, or what went wrong says nothing of the kernels. */
export type Outcome = Failure | "passed" | "undecided";

/** The failure that a fault is, for whoever asked for the solver. */
export const failureOf = (fault: KernelFault): Failure => ({
  fault,
  error: new DeviceError(`solver ${fault.solver} does not work on this device: ${fault.message}`),
});
