/**
 * Solvers that the docs name are in the list of solvers. The tables of docs/accuracy.md and docs/coverage.md are written by
 * scripts from that list: a solver that was renamed or taken out shows here, a new one needs no line in any of them.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SOLVERS } from "../../src/solvers/list.js";
import { ROOT } from "../support/packed.js";
import { PAGES } from "../support/readme.js";

const LISTED = new Set(SOLVERS.map(({ name }) => name));
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const cellsOf = (line: string): string[] => line.split("|").map((cell) => cell.trim());

/** What stands in the columns headed "solver" of a page's tables. */
function solverColumns(text: string): string[] {
  const named: string[] = [];
  let column = -1;
  for (const line of text.split("\n")) {
    if (!line.startsWith("|")) column = -1;
    else if (column < 0) column = cellsOf(line).indexOf("solver");
    else if (!/^[|\s:-]+$/.test(line)) named.push(cellsOf(line)[column]);
  }
  return named;
}

test("in the tables of docs/accuracy.md", () => {
  // "winograd, tiles of 4" is a solver in one of its configurations; the last row of a table may be the bound's.
  const named = solverColumns(read("docs/accuracy.md")).map((cell) => cell.split(",")[0]);
  expect(new Set(named).size).toBeGreaterThan(5);
  expect(named.filter((name) => name !== "the bound" && !LISTED.has(name))).toEqual([]);
});

test("in the tables of docs/coverage.md", () => {
  const named = [...read("docs/coverage.md").matchAll(/^\| solver (?!of the engine's choice)(\S+) /gm)];
  expect(named.length).toBeGreaterThan(5);
  expect(named.map(([, name]) => name).filter((name) => !LISTED.has(name))).toEqual([]);
});

test("in the code of the README and of its further pages", () => {
  const named = [...PAGES.values()].flatMap((text) => [...text.matchAll(/solver: "([\w-]+)"/g)]);
  expect(named).not.toEqual([]);
  expect(named.map(([, name]) => name).filter((name) => !LISTED.has(name))).toEqual([]);
});
