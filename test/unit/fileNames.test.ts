/** A kernel and its host bear the same name, and so do their folders: either is found from the other. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";

const SOURCES = join(import.meta.dirname, "../../src");
const SHADERS = join(import.meta.dirname, "../../shaders");

const filesOf = (folder: string, ending: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => file.endsWith(ending));

const camelCase = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Sources that import a kernel, by the kernel's path without its ending. */
const hosts = new Map<string, string>();
for (const file of filesOf(SOURCES, ".ts")) {
  const text = readFileSync(join(SOURCES, file), "utf8");
  for (const [, kernel] of text.matchAll(/"(?:\.\.\/)+shaders\/([\w/]+)\.wgsl"/g)) hosts.set(kernel, file);
}

const kernels = filesOf(SHADERS, ".wgsl")
  .filter((file) => !/(^|\/)common\//.test(file))
  .map((file) => file.replace(/\.wgsl$/, ""));

describe("each kernel", () => {
  test("has a host", () => {
    expect(kernels.length).toBeGreaterThan(20);
    expect(kernels.filter((kernel) => !hosts.has(kernel))).toEqual([]);
  });

  test.each(kernels)("%s has one of the same name", (kernel) => {
    const host = hosts.get(kernel) ?? "";
    expect(basename(host, ".ts")).toBe(camelCase(basename(kernel)));
    const [family] = kernel.split("/");
    // What runs beside convolutions, on the device's side, has no family there.
    if (host.startsWith("solvers/")) expect(host.split("/")[1]).toBe(camelCase(family));
  });
});
