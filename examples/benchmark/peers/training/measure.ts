/** Steps of one network on every engine: checked against float64, counted, and timed round by round. */
import { median } from "../../statistics.js";
import { agrees, COMPARED_STEPS, type Difference, differenceOf, type Outcome } from "./agreement.js";
import { countDispatches, countMemory, peakOf } from "../counters.js";
import type { Network } from "./networks.js";
import { emptyRow, type TrainingRow } from "./row.js";
import { type Start, startOf } from "./start.js";
import type { Trainer } from "./trainer.js";

/** A slice repeats the step for about this long. */
const SLICE_MS = 500;
const MOST_REPEATS = 16;

/** Handed over as JSON. */
export interface TrainingTask {
  readonly network: Network;
  /** What the compared steps give in float64. */
  readonly exact: Outcome;
  readonly rounds: number;
}

interface Problem extends Omit<TrainingTask, "rounds"> {
  readonly start: Start;
}

export interface TrainerMaker {
  readonly name: string;
  /** Throws, or rejects, where the engine cannot express the network: in its own words. */
  readonly open: (network: Network, start: Start) => Promise<Trainer>;
}

interface Contender {
  readonly trainer: Trainer;
  readonly losses: readonly number[];
  readonly difference: Difference;
  readonly firstMs: number;
  readonly repeats: number;
  readonly kernels: ReadonlyMap<string, number>;
  readonly samplesMs: number[];
}

type Prepared = Contender | { readonly reason: string };

export async function measureTraining(
  makers: readonly TrainerMaker[],
  { network, exact, rounds }: TrainingTask,
  say: (what: string) => void = () => undefined,
): Promise<TrainingRow[]> {
  countMemory();
  const start = startOf(network);
  const prepared: Prepared[] = [];
  for (const maker of makers) {
    say(`${network.name}: ${maker.name}`);
    prepared.push(await prepare(maker, { network, start, exact }));
  }
  const contenders = prepared.filter((one): one is Contender => "trainer" in one);
  for (let round = 0; round < rounds; round++) {
    say(`${network.name}: round ${round + 1}`);
    const turn = round % Math.max(contenders.length, 1);
    for (const { trainer, repeats, samplesMs } of [...contenders.slice(turn), ...contenders.slice(0, turn)]) {
      samplesMs.push((await timeSteps(trainer, repeats)) / repeats);
    }
  }
  const rows: TrainingRow[] = [];
  for (const [i, { name }] of makers.entries()) rows.push(await makeRow(network, name, prepared[i]));
  for (const { trainer } of contenders) trainer.close();
  return rows;
}

async function prepare({ open }: TrainerMaker, { network, start, exact }: Problem): Promise<Prepared> {
  try {
    const opening = performance.now();
    const trainer = await open(network, start);
    await timeSteps(trainer, 1);
    const firstMs = performance.now() - opening;
    const kernels = await countDispatches(() => timeSteps(trainer, COMPARED_STEPS - 1));
    const before = (name: string): Float32Array => start.parameters.get(name)?.values ?? new Float32Array();
    const changes: Record<string, readonly number[]> = {};
    for (const name of network.compared) {
      changes[name] = Array.from(await trainer.read(name), (value, i) => value - before(name)[i]);
    }
    const losses = trainer.losses.slice(0, COMPARED_STEPS);
    const difference = differenceOf({ losses, changes }, exact, before);
    const repeats = Math.max(1, Math.min(Math.round(SLICE_MS / (await timeSteps(trainer, 1))), MOST_REPEATS));
    return { trainer, losses, difference, firstMs, repeats, kernels, samplesMs: [] };
  } catch (cause) {
    return { reason: cause instanceof Error ? cause.message : String(cause) };
  }
}

/** Milliseconds from the first step's beginning until losses are read and parameters updated. */
async function timeSteps(trainer: Trainer, repeats: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) await trainer.step();
  await trainer.finish();
  return performance.now() - start;
}

async function makeRow({ name }: Network, engine: string, prepared: Prepared): Promise<TrainingRow> {
  if ("reason" in prepared) return emptyRow(name, engine, prepared.reason);
  const { trainer, losses, difference, firstMs, kernels, samplesMs } = prepared;
  const counts = [...kernels].sort(([, a], [, b]) => b - a);
  return {
    network: name,
    engine,
    ms: median(samplesMs),
    firstMs,
    peakBytes: peakOf(trainer.device),
    dispatches: counts.reduce((sum, [, count]) => sum + count, 0) / (COMPARED_STEPS - 1),
    kernels: Object.fromEntries(counts),
    losses,
    lossDifference: difference.loss,
    changeDifference: difference.change,
    verdict: agrees(difference) ? "pass" : "fail",
    ...(trainer.measureHost && { host: await trainer.measureHost() }),
  };
}
