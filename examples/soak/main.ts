/**
 * `npm run soak`: faults of all kinds for an hour, and every value compared with the reference. `-- --minutes 5 --seed 7` is shorter
 * and the same each time, as far as the device's timing allows.
 */
import { writeFileSync } from "node:fs";
import { format, resolveConfig } from "prettier";
import { createEngine } from "webgpu-conv/node";
import { Random } from "../../test/support/data.js";
import { parseArguments } from "./commandLine.js";
import { DeviceSupply } from "./devices.js";
import { makeLayers } from "./layers.js";
import { report } from "./report.js";
import { Soak } from "./soak.js";

/** Operations between two times at which all is read, disposed of, and memory must be empty. */
const BLOCK = 400;
const MILLISECONDS_A_MINUTE = 60_000;

const { minutes, seed, docs } = parseArguments(process.argv.slice(2));
console.log(`seed ${String(seed)}, ${String(minutes)} minutes`);
const supply = new DeviceSupply(new Random(seed + 1));
const engine = await createEngine({
  device: await supply.next(true),
  reacquire: () => supply.next(),
  poolBytes: 2 ** 24,
  onWarning: () => undefined,
});
const { description } = engine.adapter;
const soak = new Soak(engine, supply, makeLayers(new Random(seed)), seed + 2);
const begin = Date.now();
const end = begin + minutes * MILLISECONDS_A_MINUTE;
const processBytes: number[] = [];
let steps = 0;
try {
  while (Date.now() < end) {
    for (let i = 0; i < BLOCK && Date.now() < end; i++, steps++) await soak.step();
    await soak.clear();
    processBytes.push(process.memoryUsage().rss);
  }
} catch (error) {
  console.error(`seed ${String(seed)}, operation ${String(steps)}:`);
  throw error;
} finally {
  engine.dispose();
  supply.dispose();
}
const summary = report({ description, seed, minutes, steps, counts: soak.counts, supply, processBytes });
console.log(summary);
if (docs !== undefined) writeFileSync(docs, await format(summary, { ...(await resolveConfig(docs)), filepath: docs }));
