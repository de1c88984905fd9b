/** Kernels that do not work on a device, as the engine's user sees them. */

/** Why a kernel is set aside. */
export type FaultReason = "wrong results" | "did not compile" | "never finished" | "lost the device";

/** Plain data: to be shown, stored, or sent to whoever maintains the driver, the browser or this library. */
export interface KernelFault {
  /** The device, as the browser tells it, and the browser. */
  readonly adapter: string;
  readonly solver: string;
  readonly config: Readonly<Record<string, number>>;
  /** The operation that was tried, in words. */
  readonly operation: string;
  readonly reason: FaultReason;
  /** What happened, in a sentence. */
  readonly message: string;
  /** All there is to know, as Markdown: adapter, kernels' texts, inputs, results, and what they should be. */
  readonly report: string;
  /** As `Date.now()` gives it. */
  readonly foundAt: number;
}

/** Verdicts as data: what holds from one page load or process to the next. */
export interface VerdictData {
  /** Keys of kernels' texts that have passed, each with the adapter and the browser. */
  readonly passed: readonly string[];
  /** By the key of a text, or of a plan's texts. */
  readonly faults: readonly (readonly [key: string, fault: KernelFault])[];
}

/** What is known of kernels, on every device that an engine had. */
export interface KernelVerdicts {
  readonly faults: readonly KernelFault[];
  /** Called when more is known. */
  onChange: () => void;
  export(): VerdictData;
  import(data: VerdictData): void;
}
