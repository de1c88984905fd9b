/** The package as a user gets it: built where it is older than its sources, packed by npm, unpacked in a project. */
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

export const ROOT = resolve(import.meta.dirname, "../..");

export interface Manifest {
  readonly version: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>;
}
export const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Manifest;

/** Time of the latest change of any file below the paths. */
function latestChange(paths: readonly string[]): number {
  const files = paths.flatMap((path) => {
    if (!statSync(path).isDirectory()) return [path];
    return readdirSync(path, { recursive: true, encoding: "utf8" }).map((file) => join(path, file));
  });
  return Math.max(...files.filter((file) => statSync(file).isFile()).map((file) => statSync(file).mtimeMs));
}

/** Whether dist/ is missing, incomplete or older than what it is made from. */
function isStale(): boolean {
  const sources = [
    "src",
    "shaders",
    "build",
    "package.json",
    "vite.config.ts",
    "vite.forward.config.ts",
    "tsconfig.build.json",
  ];
  const built = Object.values(manifest.exports).flatMap((entry) => [entry.types, entry.default]);
  const times = built.map((file) => statSync(join(ROOT, file), { throwIfNoEntry: false })?.mtimeMs ?? -Infinity);
  return Math.min(...times) < latestChange(sources.map((path) => join(ROOT, path)));
}

const LOCK = join(ROOT, "out", "building");
/** A lock that is older was left by a process that was killed. */
const LOCK_MS = 120_000;

/** Waits while another test file builds, so that none reads what is half written. */
async function lock(): Promise<void> {
  mkdirSync(dirname(LOCK), { recursive: true });
  for (;;) {
    const taken = statSync(LOCK, { throwIfNoEntry: false });
    if (taken && Date.now() - taken.mtimeMs > LOCK_MS) rmSync(LOCK, { recursive: true, force: true });
    try {
      mkdirSync(LOCK);
      return;
    } catch {
      await new Promise((resume) => setTimeout(resume, 200));
    }
  }
}

/** Makes dist/ what the sources say. */
export async function buildIfStale(): Promise<void> {
  await lock();
  try {
    if (isStale()) execFileSync("npm", ["run", "--silent", "build"], { cwd: ROOT, stdio: "pipe" });
  } finally {
    rmSync(LOCK, { recursive: true, force: true });
  }
}

/**
 * A project in a folder of its own, with the packed package in node_modules, and links to others that are installed here.
 *
 * @returns the folder, the caller's to remove
 */
export async function makeProject(packages: readonly string[] = []): Promise<string> {
  await buildIfStale();
  const folder = mkdtempSync(join(tmpdir(), "webgpu-conv-package-"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
  const installed = join(folder, "node_modules/webgpu-conv");
  mkdirSync(installed, { recursive: true });
  const packing = ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder];
  const archive = execFileSync("npm", packing, { cwd: ROOT, encoding: "utf8" }).trim();
  execFileSync("tar", ["xzf", join(folder, archive), "-C", installed, "--strip-components=1"]);
  for (const name of packages) link(folder, name);
  return folder;
}

/** Links a package that is installed here into a project. */
export function link(folder: string, name: string): void {
  const target = join(folder, "node_modules", name);
  mkdirSync(dirname(target), { recursive: true });
  symlinkSync(join(ROOT, "node_modules", name), target, "dir");
}
