/** `npm run bench:peers`: installs the peers into this folder where that is needed, and compares. */
import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArguments } from "./commandLine.js";

const FOLDER = import.meta.dirname;

/** Whether what is installed is older than what is asked for. */
function isStale(): boolean {
  const installed = join(FOLDER, "node_modules/.package-lock.json");
  return !existsSync(installed) || statSync(installed).mtimeMs < statSync(join(FOLDER, "package-lock.json")).mtimeMs;
}

const chosen = parseArguments(process.argv.slice(2));
if (isStale()) {
  console.error("Installing the peers into examples/benchmark/peers ...");
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: FOLDER,
    stdio: ["ignore", "ignore", "inherit"],
    shell: process.platform === "win32",
  });
}
const { run } = await import("./run.js");
// Dawn keeps the process alive.
process.exit(await run(chosen));
