/** Goes through layers and passes, and tells what was found. */
import { writeFile } from "node:fs/promises";
import { makeFilter } from "../commandLine.js";
import { startProgress } from "../progress.js";
import type { Task } from "./bench.js";
import type { Arguments } from "./commandLine.js";
import { writeDocs } from "./docs.js";
import { OWN_ENGINE } from "./engine.js";
import { type Host, openHost } from "./host/host.js";
import { LAYERS, PASSES } from "./layers.js";
import type { PeerReport, Row } from "./row.js";
import { formatReport } from "./table.js";

/** Gives the exit code: 1 when this engine failed anywhere. */
export async function run(chosen: Arguments): Promise<number> {
  const matches = makeFilter(chosen.filter);
  const tasks = LAYERS.flatMap((layer) => PASSES.map((pass) => ({ layer, pass, rounds: chosen.rounds }))).filter(
    ({ layer, pass }) => matches(`${layer.name} ${pass}`),
  );
  if (tasks.length === 0) {
    console.error(`no layer or pass matches --filter ${JSON.stringify(chosen.filter)}`);
    return 1;
  }
  const report = await measureAll(chosen, tasks);
  console.log(formatReport(report));
  if (chosen.json !== undefined) await writeFile(chosen.json, `${JSON.stringify(report, undefined, 2)}\n`);
  if (chosen.writeDocs) await writeDocs(report, chosen.device);
  return report.rows.some(({ engine, verdict }) => engine === OWN_ENGINE && verdict !== "pass") ? 1 : 0;
}

async function measureAll({ device, tune, rounds }: Arguments, tasks: readonly Task[]): Promise<PeerReport> {
  let host = await openHost(device, tune);
  const { opened, platform } = host;
  console.error(`Device: ${opened.adapter}, in ${platform}`);
  const progress = startProgress(tasks.length);
  const rows: Row[] = [];
  for (const [done, task] of tasks.entries()) {
    progress.update(done, `${task.layer.name}, ${task.pass}`);
    const result = await measureOrLose(host, task);
    rows.push(...result.rows);
    if (!result.lost) continue;
    await host.close().catch(() => undefined);
    host = await openHost(device, tune);
  }
  progress.stop();
  await host.close();
  const { adapter, software, engines, tuned } = opened;
  const date = new Date().toISOString().slice(0, "YYYY-MM-DD".length);
  return { adapter, software, platform, date, rounds, tuned, engines, rows };
}

/** Where the host breaks, as a page does that runs out of memory, every engine's row says so. */
async function measureOrLose(host: Host, task: Task): Promise<{ readonly rows: Row[]; readonly lost: boolean }> {
  try {
    return { rows: await host.measure(task), lost: false };
  } catch (cause) {
    const unsupported = cause instanceof Error ? cause.message : String(cause);
    const nothing = { ms: null, gflops: null, maxError: null };
    const rows = Object.keys(host.opened.engines).map((engine): Row => {
      const verdict = engine === OWN_ENGINE ? "fail" : "unsupported";
      return { layer: task.layer.name, pass: task.pass, engine, ...nothing, verdict, unsupported };
    });
    return { rows, lost: true };
  }
}
