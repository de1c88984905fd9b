/** Firefox as a platform of the tests: which, on which driver, or why it is not tested. */
import { basename } from "node:path";
import { FIREFOX_VARIABLE, firefoxProgram } from "../support/firefox/browser.js";
import { probeFirefox } from "../support/firefox/probe.js";
import type { CommandLine } from "./commandLine.js";
import { chooseForFirefox, type Driver, type Wanted } from "./drivers.js";
import { type Share, shareOf } from "./share.js";
import { NODE, type Planned } from "./vitest.js";

const HOW_TO = `apt-get install firefox-esr, or ${FIREFOX_VARIABLE}=PROGRAM`;

/** The program on its driver, as variables; or what is missing, in a line for people. */
export type FoundFirefox = Driver | { readonly missing: string };

export async function findFirefox(wanted: Wanted): Promise<FoundFirefox> {
  const program = firefoxProgram();
  if (program === undefined) {
    return { missing: `FIREFOX IS NOT TESTED: it is not installed (${HOW_TO})` };
  }
  const { note, environment } = await chooseForFirefox(wanted);
  const found = await probeFirefox(program, environment);
  const name = basename(program);
  if ("missing" in found) return { missing: `FIREFOX IS NOT TESTED: ${name} on ${note}: ${found.missing}` };
  const half = found.shaderF16 ? "with" : "without";
  return {
    note: `${name} ${found.version} runs on ${note}; ${half} float16 arithmetic in the shader`,
    environment: { ...environment, [FIREFOX_VARIABLE]: program },
  };
}

/** Firefox looks ten times a second whether the device is done, and so takes several times as long as others. */
const SHARE: Share = { groups: { short: 6, long: 16 } };

/** The tests of a device; of a whole run of all platforms a sample. */
export function inFirefox(firefox: FoundFirefox, line: CommandLine): Planned {
  if ("missing" in firefox) return { note: firefox.missing };
  const share = shareOf(SHARE, "firefox", line);
  const environment = { ...firefox.environment, ...share.environment };
  return { run: { runtime: NODE, projects: ["firefox"], environment }, note: `${firefox.note}${share.note}` };
}
