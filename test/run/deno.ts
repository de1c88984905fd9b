/** Deno, from the npm package `deno`, as a runtime for vitest. */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

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
