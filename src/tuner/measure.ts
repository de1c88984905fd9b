/** Measures the candidates of an operation. A page loads this when something is to be tuned. */
import type { Backend } from "../backend/backend.js";
import { DeviceError } from "../base/errors.js";
import type { ConvOperation } from "../problem/operation.js";
import { candidatesFor } from "./candidates.js";
import { type Candidate, isSame, plannedOn } from "./ownCandidate.js";
import { WORTH_IT } from "./race.js";
import { type TrialOptions, tryOut, type Verdict } from "./trial.js";

/** What {@link Tuning.tune} found. */
export interface TuningReport {
  /** What the model chooses without measuring. */
  readonly model: Candidate;
  /** What is chosen from now on; undefined where nothing could be measured. */
  readonly winner: Verdict | undefined;
  readonly candidates: readonly Verdict[];
  /** Samples measured: the operation's, or fewer where those take too long or too much memory; 0 if skipped. */
  readonly batch: number;
  /** Why nothing was measured. */
  readonly skipped?: string;
}

const ROUNDS = 7;
const SLICE_MILLISECONDS = 50;
/** Bytes that operands, results and scratch memory of a trial may take. */
const MOST_BYTES = 2 ** 27;

export interface Measured {
  readonly report: TuningReport;
  /** Of the model's choice, where it was measured; else of the winner. */
  readonly modelMilliseconds: number;
}

/** @param pause awaited between measurements; may throw to end them */
export async function measure(
  backend: Backend,
  operation: ConvOperation,
  pause: () => Promise<void>,
): Promise<Measured> {
  const capabilities = plannedOn(backend);
  if (!capabilities) throw new DeviceError("tuning needs a WebGPU device");
  const { solver: name, config } = backend.select(operation, undefined).plan;
  const model: Candidate = { name, config };
  const options: TrialOptions = {
    rounds: ROUNDS,
    sliceMilliseconds: SLICE_MILLISECONDS,
    mostBytes: MOST_BYTES,
    pause,
  };
  const tried = candidatesFor(operation, capabilities, model);
  const without = (skipped: string, candidates: readonly Verdict[] = []): Measured => {
    return { report: { model, winner: undefined, candidates, batch: 0, skipped }, modelMilliseconds: 0 };
  };
  if (tried.length < 2) return without("there is one way only");
  const { verdicts: candidates, batch } = await isolated(backend, () => tryOut(backend, operation, options, tried));
  const measured = candidates.filter(({ milliseconds }) => milliseconds !== undefined);
  const [quickest] = [...measured].sort((a, b) => (a.milliseconds ?? 0) - (b.milliseconds ?? 0));
  if (measured.length === 0) {
    const tooLarge = `one sample takes more than ${String(MOST_BYTES)} bytes`;
    return without(candidates.length > 0 ? "no candidate may win" : tooLarge, candidates);
  }
  const own = measured.find((candidate) => isSame(candidate, model));
  const { milliseconds = 0 } = quickest;
  // A small gain may be chance: then the model's choice stays.
  const winner = own?.milliseconds !== undefined && milliseconds > WORTH_IT * own.milliseconds ? own : quickest;
  return { report: { model, winner, candidates, batch }, modelMilliseconds: own?.milliseconds ?? milliseconds };
}

/** Calls `run` between two waits for the device. Errors from before stay reported; those of candidates are in verdicts. */
async function isolated<Result>(backend: Backend, run: () => Promise<Result>): Promise<Result> {
  const [earlier] = await Promise.allSettled([backend.finish()]);
  try {
    return await run();
  } finally {
    await backend.finish().catch(() => undefined);
    if (earlier.status === "rejected") backend.report(earlier.reason as Error);
  }
}
