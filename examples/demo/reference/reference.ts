/** The CPU reference, apart from the page: it runs in a worker of its own, so that nothing here waits for it. */
import { median } from "../../benchmark/statistics.js";
import type { JobKind, Jobs, LayerShapes, TimeJob } from "./jobs.js";

/** Repeats end after this many milliseconds, however many were asked for. */
const LONG_ENOUGH = 1500;

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

  /** The median milliseconds of so many runs, or of fewer where they take long; the first warms up. */
  async time(layer: LayerShapes, passes: TimeJob["passes"], rounds: number): Promise<number> {
    const job = { layers: [layer], passes };
    const first = await this.ask("time", job);
    const times: number[] = [];
    for (let spent = first; times.length < rounds && spent < LONG_ENOUGH; spent += times[times.length - 1]) {
      times.push(await this.ask("time", job));
    }
    return times.length > 0 ? median(times) : first;
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}
