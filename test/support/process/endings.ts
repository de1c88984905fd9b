/** A process that comes to the end that its argument names. */
import { isMainThread, Worker } from "node:worker_threads";
import { createEngine, type Engine } from "webgpu-conv/node";
import { layer, outcomeOf } from "../pendingWork.js";

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const turn = (): Promise<void> => new Promise((resume) => setTimeout(resume, 20));
/** Never collected. */
const held: unknown[] = [];

async function compiling(): Promise<Engine> {
  const engine = await createEngine();
  held.push(engine, outcomeOf(layer(engine).data()));
  await turn();
  return engine;
}

async function makeAndDrop(): Promise<void> {
  layer(await createEngine());
}

/** The page's habits: what is left of a device may be asked for its news after the engine is gone. */
async function askAfterwards(): Promise<void> {
  const { device } = await compiling().then((engine) => (held.pop(), held.pop(), engine.dispose(), engine));
  await turn();
  gc?.();
  await turn();
  device?.pushErrorScope("validation");
  await device?.queue.onSubmittedWorkDone();
  await device?.popErrorScope();
}

const ENDINGS: Readonly<Record<string, () => Promise<void>>> = {
  "an engine is open": async () => {
    const engine = await createEngine();
    held.push(engine, await layer(engine).data());
  },
  "an engine is open and busy": async () => {
    const engine = await createEngine();
    void layer(engine)
      .data()
      .then(([first]) => say(String(first)));
  },
  "engines were dropped": async () => {
    for (let i = 0; i < 10; i++) await makeAndDrop();
    for (let i = 0; i < 3; i++) await turn().then(() => gc?.());
  },
  "the device of a disposed engine is asked": askAfterwards,
  "process.exit is called": async () => {
    await compiling();
    process.exit(7);
  },
  "an error is thrown": async () => {
    await compiling();
    throw new Error("of the caller's own");
  },
  "workers have engines": async () => {
    // A worker's environment does not reach the Vulkan loader: the first engine chooses the driver.
    (await createEngine()).dispose();
    for (const ending of ["an engine is open", "an engine is open and busy"]) {
      // A worker does not load TypeScript by itself, whatever its process does.
      const url = JSON.stringify(import.meta.url);
      const code = `import("tsx/esm/api").then(({ tsImport }) => tsImport(${url}, ${url}))`;
      const worker = new Worker(code, { argv: [ending], eval: true });
      await new Promise((resolve, reject) => worker.on("exit", resolve).on("error", reject));
    }
  },
};

await ENDINGS[process.argv[2]]();
say(isMainThread ? "the end" : "the worker's end");
