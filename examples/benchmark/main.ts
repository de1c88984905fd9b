/** `npm run bench`: layers of well-known networks, forward and backward, verified and timed. */
import { writeFile } from "node:fs/promises";
import { createEngine, type Engine } from "webgpu-conv/node";
import { calibrate } from "./calibrate.js";
import { type Ceilings, measureCeilings } from "./ceilings.js";
import { type Arguments, makeFilter, parseArguments } from "./commandLine.js";
import { measureHostCost } from "./hostCost.js";
import { type Layer, LAYERS } from "./layers.js";
import { Pace } from "./pace.js";
import { startProgress } from "./progress.js";
import { type BenchmarkReport, exitCodeOf, reportJson, summarise } from "./report.js";
import { chooseTasks, runsOf, runTasks, type Task } from "./run.js";
import { layerCost } from "./scaling.js";
import { formatCeilings, formatHostCost, formatSummary, formatTable } from "./table.js";
import { formatTuning, modelLoss, tuneTasks, TUNING_RUNS } from "./tune.js";

/** Seconds for all layers. Building, starting, ceilings and slow spells of the machine take the rest of 180 and 40. */
const TOTAL_SECONDS = { default: 115, quick: 18 };
/** Likewise for tuning, which has no limit to keep: more time, larger layers. */
const TUNING_SECONDS = { default: 300, quick: 60 };

/** Layers share many kernels: of what the first three took to compile, a layer spends about this much. */
const COMPILE_SHARE = 0.5;
/** Of a layer's time, at most: compiling must not crowd out the work. */
const MOST_COMPILE_SHARE = 0.5;

async function main(): Promise<void> {
  const chosen = parseArguments(process.argv.slice(2));
  const layers = LAYERS.filter((layer) => layer.quick || !chosen.quick);
  const tasks = chooseTasks(layers, makeFilter(chosen.filter));
  if (tasks.length === 0) {
    console.error(`no layer or pass matches --filter ${JSON.stringify(chosen.filter)}`);
    process.exitCode = 1;
    return;
  }
  const engine = await createEngine();
  try {
    const report = await benchmark(engine, chosen, tasks, layers);
    if (chosen.json !== undefined) await writeFile(chosen.json, reportJson(report));
    process.exitCode = exitCodeOf(report.rows);
  } finally {
    engine.dispose();
  }
}

async function benchmark(
  engine: Engine,
  chosen: Arguments,
  tasks: readonly Task[],
  layers: readonly Layer[],
): Promise<BenchmarkReport> {
  const { description, software } = engine.adapter;
  console.log(`Device: ${description}`);
  if (software) console.log("This is a software device: it runs on the CPU. Sizes are reduced to suit it.");
  const ceilings = await measureCeilings(engine);
  console.log(formatCeilings(ceilings));
  const found = { adapter: description, software, ceilings };
  if (chosen.deviceCheck) return { ...found, rows: [], summary: [] };
  return { ...found, ...(await benchmarkLayers(engine, ceilings, chosen, tasks, layers)) };
}

async function benchmarkLayers(
  engine: Engine,
  ceilings: Ceilings,
  { quick, tune }: Arguments,
  tasks: readonly Task[],
  layers: readonly Layer[],
): Promise<Pick<BenchmarkReport, "rows" | "summary" | "hostCost" | "tuning" | "modelLoss">> {
  const hostCost = await measureHostCost(engine);
  console.log(`${formatHostCost(hostCost)}\n`);
  const { speed, compileSeconds } = await calibrate(engine);
  const runs = tune ? TUNING_RUNS : runsOf(speed);
  const limits = tune ? TUNING_SECONDS : TOTAL_SECONDS;
  const totalSeconds = quick ? limits.quick : limits.default;
  const pace = new Pace({
    totalSeconds,
    fixedSeconds: Math.min(COMPILE_SHARE * compileSeconds, (MOST_COMPILE_SHARE * totalSeconds) / layers.length),
    wholeRun: layers.map((layer) => layerCost(layer, speed, runs)),
    thisRun: tasks.map(({ layer }) => layerCost(layer, speed, runs)),
    now: () => performance.now(),
  });
  const progress = startProgress(tasks.reduce((sum, { passes }) => sum + passes.length, 0));
  if (tune) {
    const tuning = await tuneTasks(engine, speed, tasks, pace, progress);
    progress.stop();
    console.log(formatTuning(tuning));
    return { rows: [], summary: [], hostCost, tuning, modelLoss: modelLoss(tuning) };
  }
  const rows = await runTasks({ engine, ceilings, speed }, tasks, pace, progress);
  progress.stop();
  const summary = summarise(rows);
  console.log(`${formatTable(rows)}\n\n${formatSummary(summary, rows)}`);
  return { rows, summary, hostCost };
}

await main();
