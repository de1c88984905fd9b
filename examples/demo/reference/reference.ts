/** The CPU reference, apart from the page: it runs in a worker of its own, so that nothing here waits for it. */
import { measure, type Measurement } from "../../benchmark/measure.js";
import type { JobKind, Jobs, LayerShapes, TimeJob } from "./jobs.js";

/** Samples end after this many milliseconds, however many were asked for. */
const MOST_MS = 1500;
/** What a sample takes at least, by a clock that browsers let tick every 0.1 ms. */
export const REFERENCE_SAMPLES = { leastSampleMs: 20, mostRepeats: 10_000 } as const;

/** One job at a time. Dispose of it to end the worker, in the middle of a job too. */
export class Reference implements Disposable {
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  readonly #signal: AbortSignal;

  /** @param signal when it goes off the worker ends, and what was asked of it rejects */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#worker.terminate(), { once: true });
  }

  /** @throws Error where the job failed; the signal's reason once it went off. */
  async ask<Kind extends JobKind>(kind: Kind, job: Jobs[Kind]["job"]): Promise<Jobs[Kind]["answer"]> {
    const signal = this.#signal;
    signal.throwIfAborted();
    return await new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }: MessageEvent<Jobs[Kind]["answer"]>) => resolve(data);
      this.#worker.onerror = ({ message }) => reject(new Error(`the reference failed: ${message}`));
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      this.#worker.postMessage({ kind, job });
    });
  }

  /** Times passes over a layer, in so many samples, or fewer where they take long. */
  async time(layer: LayerShapes, passes: TimeJob["passes"], samples: number): Promise<Measurement> {
    const work = async (repeats: number): Promise<number> =>
      await this.ask("time", { layers: [layer], passes, repeats });
    return await measure(work, { ...REFERENCE_SAMPLES, samples, mostMs: MOST_MS });
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}
