/** Goes through published networks: each engine's first result in a place of its own, then all of them side by side. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { startProgress } from "../../progress.js";
import type { Arguments } from "../commandLine.js";
import { openHost } from "../host/host.js";
import { loadSources } from "../loadSources.js";
import type * as Exact from "./exact.js";
import { openNetworksHost, type NetworksHost } from "./host.js";
import type { First } from "./measure.js";
import { inputOf } from "./picture.js";
import type { Published } from "./published.js";
import { emptyRow, type NetworkRow, type NetworksReport, rowOf } from "./row.js";
import { encodeFloats, type NetworkInMemory, type NetworkTask } from "./task.js";

const fileOf = (path: string): string => join(import.meta.dirname, "../node_modules", path);
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

export async function measurePublished(
  networks: readonly Published[],
  { device, rounds }: Pick<Arguments, "device" | "rounds">,
): Promise<NetworksReport> {
  const host = await openHost(device, false);
  const { opened, platform } = host;
  await host.close();
  const steps = networks.reduce((sum, { engines }) => sum + engines.length + 2, 0);
  const progress = startProgress(steps);
  let done = 0;
  const say = (what: string): void => progress.update(done++, what);
  const rows: NetworkRow[] = [];
  for (const network of networks) {
    say(`${network.name} in float64`);
    rows.push(...(await measureNetwork(await taskOf(network), { device, rounds }, say)));
  }
  progress.stop();
  const { adapter, software, engines } = opened;
  const names = new Set(networks.flatMap((network) => network.engines));
  const versions = Object.fromEntries([...names].map((name) => [name, engines[name]]));
  return {
    ...{ adapter, software, platform, rounds, engines: versions, rows },
    date: new Date().toISOString().slice(0, "YYYY-MM-DD".length),
  };
}

async function taskOf(network: Published): Promise<NetworkTask> {
  const model = new Uint8Array(await readFile(fileOf(network.model)));
  const weights = new Uint8Array(network.weights === undefined ? [] : await readFile(fileOf(network.weights)));
  const x = await inputOf(network, fileOf);
  const given: NetworkInMemory = { network, model, weights, x };
  const { module, close } = await loadSources<typeof Exact>(join(import.meta.dirname, "exact.ts"));
  const expected = await module.exactResult(given);
  await close();
  return {
    network,
    model: base64(model),
    weights: base64(weights),
    x: encodeFloats(x),
    expected: encodeFloats(expected),
  };
}

type Settings = Pick<Arguments, "device" | "rounds">;

async function measureNetwork(
  task: NetworkTask,
  { device, rounds }: Settings,
  say: (what: string) => void,
): Promise<NetworkRow[]> {
  const { name, engines } = task.network;
  const firsts = new Map<string, First>();
  const reasons = new Map<string, string>();
  const tell = (engine: string, cause: unknown): void =>
    void reasons.set(engine, cause instanceof Error ? cause.message : String(cause));
  for (const engine of engines) {
    say(`${name}: ${engine}`);
    await within(device, async (host) => firsts.set(engine, await host.first(task, engine))).catch((cause: unknown) =>
      tell(engine, cause),
    );
  }
  say(`${name}: rounds`);
  const able = [...firsts.keys()];
  const steady = await within(device, (host) => host.steady(task, able, rounds)).catch((cause: unknown) => {
    for (const engine of able) tell(engine, cause);
    return [];
  });
  return engines.map((engine) => {
    const first = firsts.get(engine);
    const reason = reasons.get(engine);
    if (!first || reason !== undefined) return emptyRow(name, engine, reason ?? "");
    return rowOf(name, engine, first, steady[able.indexOf(engine)]);
  });
}

async function within<Result>(
  device: Arguments["device"],
  work: (host: NetworksHost) => Promise<Result>,
): Promise<Result> {
  const host = await openNetworksHost(device);
  try {
    return await work(host);
  } finally {
    await host.close();
  }
}
