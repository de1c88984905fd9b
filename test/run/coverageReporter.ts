/** A vitest reporter: what the tests that passed covered, one JSON file a device, in the folder that CONV_COVERAGE names. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Reporter, TestModule } from "vitest/node";
import type {} from "../support/features.js";
import type {} from "../support/sampleSetup.js";
import type { DeviceCoverage } from "./coverageTable.js";

export default class CoverageReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const folder = process.env.CONV_COVERAGE;
    if (folder === undefined) throw new Error("CONV_COVERAGE is not set; expected a folder to write to");
    mkdirSync(folder, { recursive: true });
    for (const coverage of gather(modules)) {
      const name = coverage.device.toLowerCase().replace(/[^a-z0-9]+/g, "-");
      writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(coverage)}\n`);
    }
  }
}

function gather(modules: readonly TestModule[]): DeviceCoverage[] {
  const cells = new Map<string, Set<string>>();
  const tests = new Map<string, number>();
  let complete = modules.every((module) => module.state() !== "failed");
  for (const test of modules.flatMap(({ children }) => [...children.allTests()])) {
    const { coverage, leftOut } = test.meta();
    const { state } = test.result();
    if (state !== "passed" && leftOut === undefined) complete = false;
    if (state !== "passed" || !coverage) continue;
    const covered = cells.get(coverage.device) ?? new Set();
    for (const cell of coverage.cells) covered.add(cell);
    cells.set(coverage.device, covered);
    if (coverage.cells.length > 0) tests.set(coverage.device, (tests.get(coverage.device) ?? 0) + 1);
  }
  return [...cells].map(([device, covered]) => {
    return { device, tests: tests.get(device) ?? 0, complete, cells: [...covered].sort() };
  });
}
