/** CONTRIBUTING.md and docs/architecture.md: the files, folders and scripts that they name are there. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { manifest, ROOT } from "../support/packed.js";

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const CONTRIBUTING = read("CONTRIBUTING.md");
const ARCHITECTURE = read("docs/architecture.md");

/** Paths in code spans: of files, and of folders, which end with a slash. Patterns (`<name>`, `*`) are none. */
const pathsIn = (text: string): string[] =>
  [...text.matchAll(/`([\w.]+(?:\/[\w.]+)*(?:\/|\.(?:ts|wgsl|md|cjs)))`/g)].map(([, path]) => path);

describe("the tour", () => {
  const stops = [...CONTRIBUTING.matchAll(/^(\d+)\. `(\S+)`: /gm)].map(
    ([, number, path]) => [Number(number), path] as const,
  );

  test("has ten stops", () => {
    expect(stops.map(([number]) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test.each(stops)("stop %i, %s, is there", (_, path) => {
    expect(existsSync(join(ROOT, path))).toBe(true);
  });
});

describe("what they name is there:", () => {
  test("files and folders of CONTRIBUTING.md", () => {
    const paths = pathsIn(CONTRIBUTING);
    expect(paths.length).toBeGreaterThan(10);
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  test("files and folders of docs/architecture.md, from the root, src/, src/solvers/ or shaders/", () => {
    const paths = pathsIn(ARCHITECTURE);
    expect(paths.length).toBeGreaterThan(50);
    const places = ["", "src", "src/solvers", "shaders"];
    expect(paths.filter((path) => !places.some((place) => existsSync(join(ROOT, place, path))))).toEqual([]);
  });

  test("scripts of CONTRIBUTING.md", () => {
    const named = [...CONTRIBUTING.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name);
    expect(named).not.toEqual([]);
    for (const name of named) expect(manifest.scripts).toHaveProperty([name]);
  });
});
