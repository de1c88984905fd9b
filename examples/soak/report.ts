/** The soak's summary, as Markdown. */
import type { DeviceSupply } from "./devices.js";
import type { Counts } from "./soak.js";

export interface Outcome {
  readonly description: string;
  readonly seed: number;
  readonly minutes: number;
  readonly steps: number;
  readonly counts: Counts;
  readonly supply: DeviceSupply;
  /** Of the process, after each block. */
  readonly processBytes: readonly number[];
}

const inFull = (value: number): string => value.toLocaleString("en");
const inMegabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

export function report({ description, seed, minutes, steps, counts, supply, processBytes }: Outcome): string {
  const rows: readonly (readonly [string, string])[] = [
    ["operations and faults", inFull(steps)],
    ...Object.entries(counts)
      .sort(([one], [other]) => one.localeCompare(other))
      .map(([name, count]) => [name, inFull(count)] as const),
    ["devices handed out", inFull(supply.handedOut)],
    ["of them lost before they served", inFull(supply.stillborn)],
    ["attempts without a device", inFull(supply.refused)],
    ["buffers refused", inFull(supply.buffersRefused)],
    ["wrong values", "0"],
    ["tensors lost that had a copy", "0"],
    [
      "the process' memory after the first block, and at the end",
      `${inMegabytes(processBytes[0] ?? 0)}, ${inMegabytes(processBytes.at(-1) ?? 0)}`,
    ],
  ];
  const table = rows.map(([name, value]) => `| ${name} | ${value} |`).join("\n");
  return `\`npm run soak -- --minutes ${String(minutes)} --seed ${String(seed)}\` on ${description}:\n\n| what | count |\n| --- | ---: |\n${table}\n`;
}
