/** Firefox as a platform of the tests: which, on which driver, or why it is not tested. */
import { basename } from "node:path";
import { FIREFOX_VARIABLE, firefoxProgram } from "../support/firefox/browser.js";
import { probeFirefox } from "../support/firefox/probe.js";
import { chooseForFirefox, type Driver } from "./drivers.js";

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
