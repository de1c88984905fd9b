/** What a run found, as it is written to JSON. */
import type { Pass } from "./layers.js";
import type { NetworksReport } from "./networks/row.js";
import type { TrainingReport } from "./training/row.js";

export interface Row {
  readonly layer: string;
  readonly pass: Pass;
  readonly engine: string;
  /** Of a call: median of the rounds. Null where the engine could not do it. */
  readonly ms: number | null;
  /** Padding counted as if multiplied. */
  readonly gflops: number | null;
  /** Largest |result - reference| of all elements; null also where one is not a number. */
  readonly maxError: number | null;
  readonly verdict: "pass" | "fail" | "unsupported";
  /** What the engine said. */
  readonly unsupported?: string;
}

export interface PeerReport {
  readonly adapter: string;
  /** True where the device is a CPU. */
  readonly software: boolean;
  /** What the engines ran in, in words. */
  readonly platform: string;
  /** Day of the run, YYYY-MM-DD. */
  readonly date: string;
  readonly rounds: number;
  /** Whether this engine chose its kernels by measuring. */
  readonly tuned: boolean;
  /** Versions by name. */
  readonly engines: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
  /** Of a run of its own, maybe on another day. */
  readonly training?: TrainingReport;
  /** Likewise. */
  readonly networks?: NetworksReport;
}

/** What every part's report says. */
export type PartReport = Pick<PeerReport, "adapter" | "software" | "platform" | "date" | "rounds" | "engines">;

/** What a run measured; undefined where it left that out. */
export interface Results {
  readonly layers: PeerReport | undefined;
  readonly training: TrainingReport | undefined;
  readonly networks: NetworksReport | undefined;
}

/** What was not measured stays as it was; undefined where layers never were. */
export function mergeReports(before: PeerReport | undefined, results: Results): PeerReport | undefined {
  const base = results.layers ?? before;
  const training = results.training ?? before?.training;
  const networks = results.networks ?? before?.networks;
  return base && { ...base, ...(training && { training }), ...(networks && { networks }) };
}
