/**
 * `npm run example:parallel`: processes, each with an engine of its own, train one network together: each computes its part of a
 * batch, and all update alike by the mean of their gradients. Compares the networks that they end with, bit for bit.
 */
import { type ChildProcess, fork } from "node:child_process";
import { on, once } from "node:events";
import { join } from "node:path";
import { Command } from "commander";
import { count } from "../train/count.js";
import type { FromMain, FromWorker } from "./messages.js";

const command = new Command("example:parallel")
  .description("trains a network in several processes")
  .option("--workers <count>", "processes", count, 2)
  .option("--steps <count>", "steps of training", count, 100)
  .option("--batch <count>", "glyphs a step, of all processes together: a multiple of their number", count, 32)
  .parse();
const { workers, steps, batch } = command.opts<{ workers: number; steps: number; batch: number }>();
if (batch % workers !== 0)
  command.error(`batch is ${String(batch)}; expected a multiple of ${String(workers)}, the number of workers`);

const start = (rank: number): ChildProcess =>
  fork(join(import.meta.dirname, "worker.ts"), [rank, workers, batch, steps].map(String), {
    execArgv: process.execArgv,
    serialization: "advanced",
  });

/** A process, and what it says. */
interface Worker {
  readonly process: ChildProcess;
  readonly messages: AsyncIterator<[FromWorker], undefined>;
  /** Rejects when it ends by itself. */
  readonly ended: Promise<never>;
}

function watched(child: ChildProcess): Worker {
  const messages = on(child, "message") as AsyncIterableIterator<[FromWorker], undefined>;
  const ended = once(child, "exit").then(([code]): never => {
    throw new Error(`a worker ended with ${String(code)}`);
  });
  ended.catch(() => undefined);
  return { process: child, messages, ended };
}

const team = Array.from({ length: workers }, (_, rank) => watched(start(rank)));

async function next({ messages, ended }: Worker): Promise<FromWorker> {
  const { value } = await Promise.race([messages.next(), ended]);
  if (!value) throw new Error("a worker ended");
  return value[0];
}

const begin = performance.now();
let last: FromWorker[] = [];
try {
  for (let step = 0; step <= steps; step++) {
    last = await Promise.all(team.map(next));
    if (step === steps) break;
    const all = last.flatMap(({ values }) => values ?? []);
    for (const worker of team) worker.process.send({ all } satisfies FromMain);
  }
} finally {
  for (const worker of team) worker.process.kill();
}
const seconds = (performance.now() - begin) / 1000;
const [{ losses = [], parameters: first = new Float32Array() }] = last;
const isEqual = last.every(({ parameters = new Float32Array() }) =>
  Buffer.from(parameters.buffer).equals(Buffer.from(first.buffer)),
);
const mean = (values: readonly number[]): string =>
  (values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(3);
const tenth = Math.max(1, Math.floor(losses.length / 10));
console.log(`${String(workers)} processes, ${String(steps)} steps of ${String(batch)} glyphs, ${seconds.toFixed(1)} s`);
console.log(`loss ${mean(losses.slice(0, tenth))} at first, ${mean(losses.slice(-tenth))} in the end`);
console.log(`the ${String(first.length)} parameters are ${isEqual ? "equal, bit for bit" : "NOT EQUAL"}`);
if (!isEqual) process.exitCode = 1;
