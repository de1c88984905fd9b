/** float16 arithmetic in shaders, on the driver that has it: a sample of the tests that speak of it, in Node. */
import { type CommandLine, FLOAT16_VARIABLE, GROUPS_VARIABLE, SAMPLE_VARIABLE } from "./commandLine.js";
import type { Driver } from "./drivers.js";
import { ALL_CORES, NODE, type Planned } from "./vitest.js";

/** Lavapipe compiles for seconds what others compile in one. */
const ONE_GROUP_IN = 2;

/** Of every other group of tests some, by the day's seed, in short runs and in whole ones; what the command line names in whole. */
export function inFloat16(found: Driver | { readonly missing: string }, line: CommandLine): Planned {
  if ("missing" in found) return { note: found.missing };
  const { sample, seed, whole } = line;
  const isNamed = sample === undefined && !whole;
  const variables = {
    [FLOAT16_VARIABLE]: "1",
    ...(isNamed ? {} : { [SAMPLE_VARIABLE]: seed, [GROUPS_VARIABLE]: String(ONE_GROUP_IN) }),
  };
  const environment = { ...found.environment, ...variables };
  const part = isNamed ? "" : `, a sample by the seed ${seed} (npm run test:lavapipe -- --all runs all tests there)`;
  return {
    run: { runtime: NODE, projects: ["float16"], environment, options: ALL_CORES },
    note: `Tests that speak of float16 run in Node once more${part}, on ${found.note}`,
  };
}
