/** Where coverage is kept between runs: one JSON file a device, below `out/`; and the document made of them. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type DeviceCoverage, lostCells } from "./coverageTable.js";

const ROOT = resolve(import.meta.dirname, "../..");
export const KEPT_FOLDER = join(ROOT, "out", "coverage");
export const DOCUMENT = join(ROOT, "docs", "coverage.md");

/** The coverage of every device in a folder. */
export function readCoverages(folder: string): DeviceCoverage[] {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((file) => file.endsWith(".json"));
  return files.map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")) as DeviceCoverage);
}

/** Keeps a run's coverage for `npm run coverage`. */
export function keepCoverages(folder: string): void {
  mkdirSync(KEPT_FOLDER, { recursive: true });
  for (const file of readdirSync(folder)) copyFileSync(join(folder, file), join(KEPT_FOLDER, file));
}

/**
 * What the document lists and a run no longer covered, a line each: platforms that take turns cover it together. A run of which tests
 * failed or were skipped (test vectors that are not there) is not held against it.
 */
export function findLosses(coverages: readonly DeviceCoverage[]): string[] {
  if (!existsSync(DOCUMENT)) return [];
  const text = readFileSync(DOCUMENT, "utf8");
  return coverages
    .filter(({ complete }) => complete)
    .flatMap((coverage) =>
      lostCells(text, coverage, coverages).map((cell) => `${coverage.device}: ${cell.replaceAll("|", ", ")}`),
    );
}
