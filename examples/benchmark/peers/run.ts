/** Goes through layers and passes, then through networks, trained and published, and tells what was found. */
import { writeFile } from "node:fs/promises";
import { makeFilter } from "../commandLine.js";
import { startProgress } from "../progress.js";
import type { Task } from "./bench.js";
import type { Arguments, Part } from "./commandLine.js";
import { writeDocs } from "./docs.js";
import { OWN_ENGINE } from "./engine.js";
import { type Host, openHost } from "./host/host.js";
import { LAYERS, PASSES } from "./layers.js";
import { choosePublished } from "./networks/published.js";
import { measurePublished } from "./networks/run.js";
import { formatNetworks } from "./networks/table.js";
import type { PeerReport, Results, Row } from "./row.js";
import { formatReport } from "./table.js";
import { chooseNetworks, measureNetworks } from "./training/run.js";
import { formatTraining } from "./training/table.js";

/** Gives the exit code: 1 when this engine failed anywhere. */
export async function run(chosen: Arguments): Promise<number> {
  const { filter, only, json } = chosen;
  const isWanted = (part: Part): boolean => only === undefined || only === part;
  const tasks = isWanted("layers") ? chooseTasks(chosen) : [];
  const trained = isWanted("training") ? chooseNetworks(filter) : [];
  const published = isWanted("networks") ? choosePublished(filter) : [];
  if (tasks.length + trained.length + published.length === 0) {
    console.error(`no layer, pass or network matches --filter ${JSON.stringify(filter)}`);
    return 1;
  }
  const layers = tasks.length > 0 ? await measureAll(chosen, tasks) : undefined;
  if (layers) console.log(formatReport(layers));
  const training = trained.length > 0 ? await measureNetworks(trained, chosen) : undefined;
  if (training) console.log(formatTraining(training));
  const networks = published.length > 0 ? await measurePublished(published, chosen) : undefined;
  if (networks) console.log(formatNetworks(networks));
  const results: Results = { layers, training, networks };
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ ...layers, training, networks }, undefined, 2)}\n`);
  if (chosen.writeDocs) await writeDocs(results, chosen.device);
  const rows = [...(layers?.rows ?? []), ...(training?.rows ?? []), ...(networks?.rows ?? [])];
  return rows.some(({ engine, verdict }) => engine === OWN_ENGINE && verdict !== "pass") ? 1 : 0;
}

function chooseTasks({ filter, rounds }: Arguments): Task[] {
  const matches = makeFilter(filter);
  return LAYERS.flatMap((layer) => PASSES.map((pass) => ({ layer, pass, rounds }))).filter(({ layer, pass }) =>
    matches(`${layer.name} ${pass}`),
  );
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
