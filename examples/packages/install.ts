/** Packages of an example alone: they are installed into its folder when it first runs, in the versions that its lock file names. */
import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";

/** Whether nothing is installed, or what is older than what is asked for. */
function isStale(folder: string): boolean {
  const installed = join(folder, "node_modules/.package-lock.json");
  return !existsSync(installed) || statSync(installed).mtimeMs < statSync(join(folder, "package-lock.json")).mtimeMs;
}

/**
 * Installs what the package.json of a folder names, where that is needed.
 *
 * @param folder of an example, with package.json and package-lock.json
 * @param what in words, for the line that says so: "the peers"
 */
export function installPackages(folder: string, what: string): void {
  if (!isStale(folder)) return;
  console.error(`Installing ${what} into ${folder} ...`);
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
    shell: process.platform === "win32",
  });
}
