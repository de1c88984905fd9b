/** What a recorded step costs the host. */
import type { Compiled, Engine } from "webgpu-conv";
import { type Submissions, timeSubmissions } from "../counters.js";
import type { HostCost } from "./trainer.js";

/** Runs before those that count, which let the JavaScript engine optimise, and those. */
const [WARM_UP, RUNS] = [60, 60];
/** Fewer of both, down to one, once runs took this long. */
const LIMIT_MS = 10_000;

type RunCost = Omit<HostCost, "dispatches">;

/** Least of the runs: a software device computes on the cores that encode the rest of a long step. */
export async function measureHost(engine: Engine, compiled: Compiled<unknown>): Promise<HostCost> {
  const costs: RunCost[] = [];
  const start = performance.now();
  for (let run = 0; run < WARM_UP + RUNS; run++) {
    const cost = await measureRun(engine, compiled);
    if (run < WARM_UP && performance.now() - start < LIMIT_MS) continue;
    costs.push(cost);
    if (performance.now() - start > LIMIT_MS) break;
  }
  const least = (part: keyof RunCost): number => Math.min(...costs.map((cost) => cost[part]));
  return {
    dispatches: compiled.dispatches,
    recordMs: least("recordMs"),
    encodeMs: least("encodeMs"),
    submitMs: least("submitMs"),
  };
}

async function measureRun(engine: Engine, compiled: Compiled<unknown>): Promise<RunCost> {
  await engine.finish();
  const submissions: Submissions = { encodeMs: 0, submitMs: 0 };
  const restore = timeSubmissions(submissions);
  try {
    const start = performance.now();
    compiled.run();
    const recordMs = performance.now() - start - submissions.encodeMs - submissions.submitMs;
    await engine.finish();
    return { recordMs, ...submissions };
  } finally {
    restore();
  }
}
