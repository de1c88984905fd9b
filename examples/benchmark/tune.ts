/** `npm run bench -- --tune`: the choice made without measuring, against the best that measuring finds. */
import type { Engine, TuningReport, Verdict } from "webgpu-conv";
import type { DeviceSpeed } from "./costModel.js";
import type { Pace } from "./pace.js";
import { OPERATIONS, type Pass } from "./passes.js";
import type { Progress } from "./progress.js";
import type { Task } from "./run.js";
import { fitLayer, scaledName, scaledShapes } from "./scaling.js";
import { geometricMean } from "./statistics.js";
import { significant } from "./format.js";

export interface TuningRow {
  readonly layer: string;
  readonly pass: Pass;
  /** Solver and constants. */
  readonly model: string;
  readonly modelMilliseconds: number;
  readonly best: string;
  readonly bestMilliseconds: number;
  /** Candidates measured, and those that were set aside because they were wrong or did not run. */
  readonly candidates: number;
  readonly setAside: readonly string[];
}

/** Runs of a pass, about: some candidates in all rounds, most in two, each checked once. */
export const TUNING_RUNS = 60;

const describe = ({ name, config }: Pick<Verdict, "name" | "config">): string => {
  const constants = Object.entries(config).map(([constant, value]) => `${constant} ${value}`);
  return constants.length > 0 ? `${name} (${constants.join(", ")})` : name;
};

function rowOf(layer: string, pass: Pass, { model, winner, candidates }: TuningReport): TuningRow | undefined {
  const own = candidates.find((one) => describe(one) === describe(model));
  if (winner?.milliseconds === undefined || own?.milliseconds === undefined) return undefined;
  return {
    layer,
    pass,
    model: describe(model),
    modelMilliseconds: own.milliseconds,
    best: describe(winner),
    bestMilliseconds: winner.milliseconds,
    candidates: candidates.filter(({ milliseconds }) => milliseconds !== undefined).length,
    setAside: candidates.flatMap((one) => (one.setAside === undefined ? [] : [`${describe(one)}: ${one.setAside}`])),
  };
}

/** Tunes each pass of each layer, at a size that fits the device and the time. */
export async function tuneTasks(
  engine: Engine,
  speed: DeviceSpeed,
  tasks: readonly Task[],
  pace: Pace,
  progress: Progress,
): Promise<TuningRow[]> {
  const rows: TuningRow[] = [];
  let done = 0;
  for (const { layer, passes } of tasks) {
    const budget = { runs: TUNING_RUNS, seconds: pace.next() };
    const { timed } = fitLayer(layer, speed, budget, engine.adapter.maxTensorBytes);
    const name = scaledName(layer, timed);
    for (const pass of passes) {
      progress.update(done++, name);
      const report = await engine.tuning.tune(OPERATIONS[pass], scaledShapes(layer, timed), layer.options);
      const row = rowOf(name, pass, report);
      if (row) rows.push(row);
    }
  }
  return rows;
}

/** Time of the model's choice over the best, a geometric mean. */
export const modelLoss = (rows: readonly TuningRow[]): number =>
  geometricMean(rows.map(({ modelMilliseconds, bestMilliseconds }) => modelMilliseconds / bestMilliseconds));

export function formatTuning(rows: readonly TuningRow[]): string {
  const lines = rows.map(({ layer, pass, model, modelMilliseconds, best, bestMilliseconds, setAside }) => {
    const ratio = `${(modelMilliseconds / bestMilliseconds).toFixed(2)}x`;
    const choice = model === best ? `${model} is best` : `${model}; best ${best}`;
    const wrong = setAside.length > 0 ? `; SET ASIDE ${setAside.join("; ")}` : "";
    return `${layer}, ${pass}: ${ratio}, ${significant(modelMilliseconds)} ms against ${significant(bestMilliseconds)} ms: ${choice}${wrong}`;
  });
  const mean = `The model's choice takes ${modelLoss(rows).toFixed(3)} times the tuned best (geometric mean of ${rows.length})`;
  return [...lines, "", mean].join("\n");
}
