/** What a recorded step costs the host. */
import type { Compiled, Engine } from "webgpu-conv";
import { median } from "../../statistics.js";
import { type Submissions, timeSubmissions } from "./counters.js";
import type { HostCost } from "./trainer.js";

/** Runs before those that count, which let the JavaScript engine optimise, and those. */
const [WARM_UP, RUNS] = [60, 60];
/** Fewer of both, down to one, once runs took this long. */
const LIMIT_MS = 10_000;

/** On an idle device. */
export async function measureHost(engine: Engine, compiled: Compiled<unknown>): Promise<HostCost> {
  const costs: Omit<HostCost, "dispatches">[] = [];
  const start = performance.now();
  for (let run = 0; run < WARM_UP + RUNS; run++) {
    const cost = await measureRun(engine, compiled);
    if (run < WARM_UP && performance.now() - start < LIMIT_MS) continue;
    costs.push(cost);
    if (performance.now() - start > LIMIT_MS) break;
  }
  return {
    dispatches: compiled.dispatches,
    recordMs: median(costs.map(({ recordMs }) => recordMs)),
    encodeMs: median(costs.map(({ encodeMs }) => encodeMs)),
    submitMs: median(costs.map(({ submitMs }) => submitMs)),
  };
}

async function measureRun(engine: Engine, compiled: Compiled<unknown>): Promise<Omit<HostCost, "dispatches">> {
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
