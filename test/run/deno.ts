/** Deno, from the npm package `deno`, as a platform of the tests: a runtime for vitest, on which driver. */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { CommandLine } from "./commandLine.js";
import { chooseForDeno, type Driver } from "./drivers.js";
import { type Share, shareOf } from "./share.js";
import { ALL_CORES, type Planned } from "./vitest.js";

/** The command that runs a script in Deno with WebGPU; undefined where there is no Deno for this platform. */
export function denoCommand(): readonly string[] | undefined {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve("deno/package.json"));
    // The package's own launcher, which finds the platform's binary.
    const launcher = [process.execPath, join(folder, "bin.cjs")];
    const { status } = spawnSync(launcher[0], [launcher[1], "--version"], { stdio: "ignore" });
    return status === 0 ? [...launcher, "run", "--allow-all", "--unstable-webgpu"] : undefined;
  } catch {
    return undefined;
  }
}

/** The command and its driver; or what is missing, in a line for people. */
export type FoundDeno = (Driver & { readonly runtime: readonly string[] }) | { readonly missing: string };

export async function findDeno(): Promise<FoundDeno> {
  const runtime = denoCommand();
  if (!runtime) return { missing: "DENO IS NOT TESTED: the npm package deno has no binary here (npm install deno)" };
  const { note, environment } = await chooseForDeno();
  return { runtime, note: `Deno runs on ${note}`, environment };
}

/** What naga accepts of the shaders is its own: that every kernel compiles is tested in each whole run. */
const SHARE: Share = { groups: { short: 1, long: 1 }, wholeFile: "test/gpu/shaders.test.ts" };

/** The tests of a device; of a whole run of all platforms some of each group. */
export function inDeno(deno: FoundDeno, line: CommandLine): Planned {
  if ("missing" in deno) return { note: deno.missing };
  const share = shareOf(SHARE, "deno", line);
  const environment = { ...deno.environment, ...share.environment };
  const run = { runtime: deno.runtime, projects: ["deno"], environment, options: ALL_CORES };
  return { run, note: `${deno.note}${share.note}` };
}
