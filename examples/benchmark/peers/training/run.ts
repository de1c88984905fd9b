/** Goes through the networks, on a host of its own: jax-js has but one device, whose memory is counted. */
import { join } from "node:path";
import { makeFilter } from "../../commandLine.js";
import { startProgress } from "../../progress.js";
import type { Arguments } from "../commandLine.js";
import { openHost } from "../host/host.js";
import { loadSources } from "../loadSources.js";
import type { Outcome } from "./agreement.js";
import type * as Exact from "./exact.js";
import { type Network, NETWORKS } from "./networks.js";
import { emptyRow, type TrainingReport, type TrainingRow } from "./row.js";
import { TRAINERS } from "./trainer.js";

/** Those that `--filter` leaves. */
export function chooseNetworks(filter: string | undefined): Network[] {
  const matches = makeFilter(filter);
  return NETWORKS.filter(({ name }) => matches(`${name} training`));
}

export async function measureNetworks(
  networks: readonly Network[],
  { device, rounds }: Pick<Arguments, "device" | "rounds">,
): Promise<TrainingReport> {
  const progress = startProgress(2 * networks.length);
  const outcomes: Outcome[] = [];
  const exact = await loadSources<typeof Exact>(join(import.meta.dirname, "exact.ts"));
  for (const [done, network] of networks.entries()) {
    progress.update(done, `${network.name} in float64`);
    outcomes.push(exact.module.exactOutcome(network));
  }
  await exact.close();
  let host = await openHost(device, false);
  const { opened, platform } = host;
  const rows: TrainingRow[] = [];
  for (const [i, network] of networks.entries()) {
    progress.update(networks.length + i, `${network.name}, training`);
    try {
      rows.push(...(await host.train({ network, exact: outcomes[i], rounds })));
    } catch (cause) {
      // The host broke, as a page does that runs out of memory: every engine's row says so.
      const reason = cause instanceof Error ? cause.message : String(cause);
      rows.push(...TRAINERS.map((engine) => emptyRow(network.name, engine, reason)));
      await host.close().catch(() => undefined);
      host = await openHost(device, false);
    }
  }
  progress.stop();
  await host.close();
  const { adapter, software, engines } = opened;
  const date = new Date().toISOString().slice(0, "YYYY-MM-DD".length);
  const versions = Object.fromEntries(TRAINERS.map((name) => [name, engines[name]]));
  return { adapter, software, platform, date, rounds, engines: versions, rows };
}
