/**
 * A process that disposes of engines in the middle of everything, and collects them at once (`--expose-gc`). Prints what
 * became of what was waited for, a line each. Leaves some work for nobody to wait for, and ends by itself.
 */
import { createEngine } from "webgpu-conv/node";
import { layer, outcomeOf, PENDING } from "../pendingWork.js";

const MOMENTS: Readonly<Record<string, () => Promise<unknown>>> = {
  "at once": () => Promise.resolve(),
  "in the next turn": () => new Promise((resume) => setImmediate(resume)),
  "a moment later": () => new Promise((resume) => setTimeout(resume, 10)),
};

async function disposeWhile(start: (typeof PENDING)[string], wait: () => Promise<unknown>): Promise<Promise<string>> {
  const engine = await createEngine();
  const outcome = outcomeOf(start(engine));
  await wait();
  engine.dispose();
  return outcome;
}

/** Nobody has these any more when this is done. */
async function leaveBehind(): Promise<void> {
  const engine = await createEngine();
  layer(engine);
  engine.dispose();
}

for (const [name, start] of Object.entries(PENDING)) {
  for (const [moment, wait] of Object.entries(MOMENTS)) {
    const outcome = disposeWhile(start, wait);
    await leaveBehind();
    gc?.();
    process.stdout.write(`${name}, ${moment}: ${await outcome}\n`);
  }
}
await leaveBehind();
gc?.();
