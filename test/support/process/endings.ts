/** A process that comes to the end that its argument names. */
import { isMainThread, Worker } from "node:worker_threads";
import { createEngine, type Engine, type EngineOptions } from "webgpu-conv/node";
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

const ENGINES = 10;
let collected = 0;
const registry = new FinalizationRegistry<undefined>(() => collected++);

/** Makes an engine that nobody has any more when this is done, and watches its inside and its own device. */
async function makeAndDrop(options: EngineOptions, end: (engine: Engine) => void): Promise<void> {
  const engine = await createEngine(options);
  layer(engine);
  registry.register(engine.adapter, undefined);
  if (engine.device && !options.device) registry.register(engine.device, undefined);
  end(engine);
}

/** Collects until most of so many objects are gone: the last ones may still be in some register. */
async function collectMost(count: number): Promise<void> {
  for (let i = 0; i < 500 && collected < count - 4; i++) {
    await turn();
    gc?.();
  }
  say(collected >= count - 4 ? "collected" : `${String(collected)} of ${String(count)} collected`);
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
    for (let i = 0; i < ENGINES; i++) await makeAndDrop({}, () => undefined);
    await collectMost(2 * ENGINES);
  },
  "engines that recover were dropped": async () => {
    for (let i = 0; i < ENGINES; i++) await makeAndDrop({ recover: true }, () => undefined);
    await collectMost(2 * ENGINES);
  },
  "engines on a caller's device were disposed of": async () => {
    const { device } = await createEngine();
    if (!device) throw new Error("there is no device");
    held.push(device);
    for (let i = 0; i < ENGINES; i++) await makeAndDrop({ device }, (engine) => engine.dispose());
    await collectMost(ENGINES);
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
