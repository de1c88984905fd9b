/** What a recorded step costs the host: from the call until the queue has all of it. */
import type { Compiled, Engine } from "webgpu-conv";
import { median } from "../../statistics.js";
import { type Encoding, timeSubmissions } from "./counters.js";
import type { HostCost } from "./trainer.js";

/** Runs before those that count, and those. */
const [WARM_UP, RUNS] = [3, 9];
/** Fewer of both, down to one, once runs took this long. */
const LIMIT_MS = 10_000;

/** On an idle device. Where the engine hands long work over bit by bit, encoding and submitting of the later bits are added. */
export async function measureHost(engine: Engine, compiled: Compiled<unknown>): Promise<HostCost> {
  const records: number[] = [];
  const submits: number[] = [];
  const start = performance.now();
  for (let run = 0; run < WARM_UP + RUNS; run++) {
    const cost = await measureRun(engine, compiled);
    if (run < WARM_UP && performance.now() - start < LIMIT_MS) continue;
    records.push(cost.recordMs);
    submits.push(cost.submitMs);
    if (performance.now() - start > LIMIT_MS) break;
  }
  return { dispatches: compiled.dispatches, recordMs: median(records), submitMs: median(submits) };
}

async function measureRun(engine: Engine, compiled: Compiled<unknown>) {
  await engine.finish();
  const sums: Encoding = { encodeMs: 0, submitMs: 0 };
  const restore = timeSubmissions(sums);
  try {
    const start = performance.now();
    compiled.run();
    // Encodes and submits before it returns its promise.
    const finished = engine.finish();
    const atOnceMs = performance.now() - start - sums.submitMs;
    const encodedAtOnceMs = sums.encodeMs;
    await finished;
    return { recordMs: atOnceMs + sums.encodeMs - encodedAtOnceMs, submitMs: sums.submitMs };
  } finally {
    restore();
  }
}
