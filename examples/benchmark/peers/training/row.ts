/** Results of the comparison of training, as they are written to JSON. */
import type { PartReport } from "../row.js";
import { OWN_ENGINE } from "../engine.js";
import type { HostCost } from "./trainer.js";

export interface TrainingRow {
  readonly network: string;
  readonly engine: string;
  /** Of a step: median of the rounds. Null where the engine could not do it. */
  readonly ms: number | null;
  /** Of the first step, with all that is planned, traced and compiled for it. */
  readonly firstMs: number | null;
  /** Most bytes of WebGPU buffers at a time, from the engine's opening to the last round. */
  readonly peakBytes: number | null;
  /** Of one step. */
  readonly dispatches: number | null;
  /** The same by kernel, most first, where the engine's pipelines have labels. */
  readonly kernels: Readonly<Record<string, number>>;
  /** Of the steps that were compared. */
  readonly losses: readonly number[];
  /** Largest difference to float64, relative: of a loss, and of a parameter's change as a vector. NaN is null. */
  readonly lossDifference: number | null;
  readonly changeDifference: number | null;
  readonly verdict: "pass" | "fail" | "cannot";
  /** What the engine said. */
  readonly reason?: string;
  readonly host?: HostCost;
}

export interface TrainingReport extends PartReport {
  readonly rows: readonly TrainingRow[];
}

/** Of an engine that could not do it. */
export function emptyRow(network: string, engine: string, reason: string): TrainingRow {
  const numbers = {
    ms: null,
    firstMs: null,
    peakBytes: null,
    dispatches: null,
    lossDifference: null,
    changeDifference: null,
  };
  return {
    network,
    engine,
    ...numbers,
    kernels: {},
    losses: [],
    verdict: engine === OWN_ENGINE ? "fail" : "cannot",
    reason,
  };
}
