/** Runs the chosen layers one after the other, each at a size that fits the device and the time. */
import type { Engine } from "webgpu-conv";
import type { Ceilings } from "./ceilings.js";
import type { DeviceSpeed } from "./costModel.js";
import { type Layer, layerName } from "./layers.js";
import { LayerRun } from "./layerRun.js";
import { type Pass, PASSES } from "./passes.js";
import type { Pace } from "./pace.js";
import type { Progress } from "./progress.js";
import { failedRow, type Row } from "./report.js";
import { MEASURE, runRow } from "./row.js";
import { fitLayer, type FittedLayer, scaledName } from "./scaling.js";

/** Passes of a layer that were asked for. */
export interface Task {
  readonly layer: Layer;
  readonly passes: readonly Pass[];
}

/** What the rows are measured against. */
export interface Bench {
  readonly engine: Engine;
  readonly ceilings: Ceilings;
  readonly speed: DeviceSpeed;
}

/** One that compiles and is verified, one warm-up. */
const OTHER_RUNS = 2;

export function chooseTasks(layers: readonly Layer[], matches: (name: string) => boolean): Task[] {
  return layers
    .map((layer) => ({ layer, passes: PASSES.filter((pass) => matches(`${layerName(layer)} ${pass}`)) }))
    .filter(({ passes }) => passes.length > 0);
}

/** Runs of each pass on a device of this kind. */
export function runsOf({ software }: DeviceSpeed): number {
  return MEASURE[software ? "software" : "gpu"].samples + OTHER_RUNS;
}

export async function runTasks(bench: Bench, tasks: readonly Task[], pace: Pace, progress: Progress): Promise<Row[]> {
  const { engine, speed } = bench;
  const runs = runsOf(speed);
  const rows: Row[] = [];
  for (const { layer, passes } of tasks) {
    const fitted = fitLayer(layer, speed, { runs, seconds: pace.next() }, engine.adapter.maxTensorBytes);
    const before = rows.length;
    const announce = (done: number): void => progress.update(before + done, scaledName(layer, fitted.timed));
    rows.push(...(await runLayer(bench, { layer, passes }, fitted, announce)));
  }
  return rows;
}

async function runLayer(
  { engine, ceilings }: Bench,
  { layer, passes }: Task,
  { timed, verified }: FittedLayer,
  announce: (done: number) => void,
): Promise<Row[]> {
  announce(0);
  const name = scaledName(layer, timed);
  using timedRun = new LayerRun(engine, layer, timed);
  using smallerRun = timed === verified ? undefined : new LayerRun(engine, layer, verified);
  const runs = { timed: timedRun, verified: smallerRun ?? timedRun };
  const rows: Row[] = [];
  for (const pass of passes) {
    // One pass that the device cannot do is a finding; the others are still worth knowing.
    const row = await runRow(engine, name, pass, runs, ceilings).catch((cause: unknown) =>
      failedRow(name, pass, timedRun.problem.inputShape, cause),
    );
    rows.push(row);
    announce(rows.length);
  }
  return rows;
}
