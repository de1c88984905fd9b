/** The soak's summary, as docs/reliability.md has it. */
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

const PROMISES = `# Reliability

What the engine promises when something fails, and where that is tested by making it fail.

| what fails | what holds | tested by |
| --- | --- | --- |
| a device is lost: idle, compiling, recording, reading, tuning, replaying, encoding, drawing, three times in a row, while it recovers | with \`recover: true\` the engine goes on on another device; tensors with copies and sequences come back, others say what they were and where they were made; a loop of gradient steps ends with the same bits from its last snapshot | test/gpu/recovery.test.ts, recoveryOwned.test.ts, recoverySnapshots.test.ts |
| there is no other device | every call says so; copies can still be read | test/gpu/recoveryDevices.test.ts |
| no room for a buffer | unused memory is given back and the buffer made once more; else it is the error of that tensor alone | test/gpu/memoryFaults.test.ts |
| a kernel does not compile, an operation cannot be encoded, a submission is refused | its results have the error, and what is computed from them; everything else goes on | test/gpu/faults.test.ts, compileErrors.test.ts |
| a kernel is wrong on an adapter, does not compile, never ends, or loses the device | it is set aside before a result of it is used, with a report; the next solver serves; stores remember it | test/gpu/vetting.test.ts, vettingEnds.test.ts, vettingKernels.test.ts |
| a wait is called off | inputs and engine are as they were; what was not computed says so | test/gpu/cancel.test.ts |
| a source or a sink of tiles fails, or the device meanwhile | the call rejects and gives all memory back | test/gpu/tiledEnds.test.ts |
| weights or gradients are infinite or NaN | padding has no products: results whose filter meets them beyond the edge alone are as without them | test/gpu/infinities.test.ts, infiniteWeights.test.ts |
| tensors are larger than a binding, a grid is wider than a dimension, a shader would bind too much | operations run in pieces, forward and both gradients, with the bits of the whole; what cannot be is a \`LimitError\` at the call, and \`explain\` says it first | test/gpu/largeTensors.test.ts, largeTensorCalls.test.ts, smallDevices.test.ts |
| much of everything: 100,000 operations of 300 shapes, 50 callers at a time, 1,000 engines | memory stays flat, pipelines and pool within their bounds, every value right | test/gpu/load.node.test.ts |

\`npm run soak\` mixes losses of devices, shortages of memory and waits that are called off with operations of 300 random layers, in
an order that its seed gives, for an hour. It compares every value with the float64 reference, and ends with an error at the first
that is wrong, at the first error that no fault explains, at the first tensor that is lost though it had a copy, and where memory
stays behind after everything was disposed of.
`;

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
  return `${PROMISES}
## A run

\`npm run soak -- --minutes ${String(minutes)} --seed ${String(seed)}\` on ${description}:

| what | count |
| --- | ---: |
${table}
`;
}
