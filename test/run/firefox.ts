/** Firefox as a platform of the tests: which, on which driver, or why it is not tested. */
import { basename } from "node:path";
import { FIREFOX_VARIABLE, firefoxProgram } from "../support/firefox/browser.js";
import { probeFirefox } from "../support/firefox/probe.js";
import { type CommandLine, GROUPS_VARIABLE, SAMPLE_VARIABLE } from "./commandLine.js";
import { chooseForFirefox, type Driver } from "./drivers.js";
import { NODE, type Planned } from "./vitest.js";

const HOW_TO = `apt-get install firefox-esr, or ${FIREFOX_VARIABLE}=PROGRAM`;

/** The program on its driver, as variables; or what is missing, in a line for people. */
export type FoundFirefox = Driver | { readonly missing: string };

export async function findFirefox(): Promise<FoundFirefox> {
  const program = firefoxProgram();
  if (program === undefined) {
    return { missing: `FIREFOX IS NOT TESTED: it is not installed (${HOW_TO})` };
  }
  const { note, environment } = await chooseForFirefox();
  const found = await probeFirefox(program, environment);
  const name = basename(program);
  if ("missing" in found) return { missing: `FIREFOX IS NOT TESTED: ${name} on ${note}: ${found.missing}` };
  const half = found.shaderF16 ? "with" : "without";
  return {
    note: `${name} ${found.version} runs on ${note}; ${half} float16 arithmetic in the shader`,
    environment: { ...environment, [FIREFOX_VARIABLE]: program },
  };
}

/** Of how many groups of tests Firefox takes one: in a short run, and where a whole run of all platforms takes a sample of it. */
const GROUPS = { short: "6", long: "8" };

/**
 * The tests of a device. Firefox looks ten times a second whether the device is done, and so takes several times as long as
 * others: of a whole run of all platforms it runs a sample.
 */
export function inFirefox(firefox: FoundFirefox, { suite, sample, seed, whole }: CommandLine): Planned {
  if ("missing" in firefox) return { note: firefox.missing };
  const isSample = suite === "all" && whole;
  const environment = {
    ...firefox.environment,
    [GROUPS_VARIABLE]: isSample ? GROUPS.long : GROUPS.short,
    ...(isSample ? { [SAMPLE_VARIABLE]: seed } : {}),
  };
  const few = sample === undefined ? "" : `; one group of tests in ${GROUPS.short}`;
  const all = `; a sample of its tests, by the seed ${seed} (npm run test:firefox -- --all runs all)`;
  const note = `${firefox.note}${isSample ? all : few}`;
  return { run: { runtime: NODE, projects: ["firefox"], environment }, note };
}
