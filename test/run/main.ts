/**
 * `npm test`: a sample of the tests, or with `--all` every test, on every platform that there is; one report of all.
 *
 *     tsx test/run/main.ts [all | node | browser | deno | lavapipe | swiftshader | demo] [--all] [vitest's options and file names]
 *
 * Node and Chromium run in one vitest, side by side; the demo page after them, and then Deno, in a vitest that itself
 * runs in Deno.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { describeCounts, describeSample, readCommandLine, SAMPLE_VARIABLE, type Suite } from "./commandLine.js";
import { findLosses, keepCoverages, readCoverages } from "./coverageFiles.js";
import { denoCommand } from "./deno.js";
import { chooseForDeno, chooseForNode, type Driver, findLavapipe, findSwiftShader } from "./drivers.js";
import { describeCompilers } from "./gpuCompilers.js";
import { countLeftOut, listFailures, mergeReports, type Outcome, type Run, runVitest } from "./vitest.js";

/** A run, and what it runs on, for people. A run that cannot be is a note alone. */
interface Planned {
  readonly run?: Run;
  readonly note: string;
}

const NODE = [process.execPath];

function inNode({ note, environment }: Driver, projects: readonly string[]): Planned {
  return { run: { runtime: NODE, projects, environment }, note: `Node runs on ${note}` };
}

/** The page in a browser, which has a driver of its own. */
const DEMO: Planned = {
  run: { runtime: NODE, projects: ["demo"], environment: {} },
  note: "The demo page runs in Chromium",
};

async function planDeno(): Promise<Planned> {
  const runtime = denoCommand();
  if (!runtime) return { note: "DENO IS NOT TESTED: the npm package deno has no binary here (npm install deno)" };
  const { note, environment } = await chooseForDeno();
  // Nothing runs beside it: a process for each core.
  const parallel = [`--maxWorkers=${String(availableParallelism())}`];
  return { run: { runtime, projects: ["deno"], environment, options: parallel }, note: `Deno runs on ${note}` };
}

/** The driver that was asked for by name: there, or an error. */
function demand(driver: Driver | { readonly missing: string } | undefined): Driver {
  if (!driver || "missing" in driver) throw new Error(driver?.missing ?? "there is no SwiftShader for this platform");
  return driver;
}

async function plan(suite: Suite): Promise<readonly Planned[]> {
  switch (suite) {
    case "all":
      return [inNode(await chooseForNode(), ["node", "chromium"]), DEMO, await planDeno()];
    case "node":
      return [inNode(await chooseForNode(), ["node"])];
    case "browser":
      return [
        { run: { runtime: NODE, projects: ["chromium"], environment: {} }, note: "Chromium runs on its own driver" },
      ];
    case "deno":
      return [await planDeno()];
    case "lavapipe":
      return [inNode(demand(findLavapipe()), ["node"])];
    case "swiftshader":
      return [inNode(demand(await findSwiftShader()), ["node"])];
    case "demo":
      return [DEMO];
  }
}

const { suite, reportFile, options, sample, whole } = readCommandLine(process.argv.slice(2), process.env);
const planned = await plan(suite);
const sampled = sample === undefined ? [] : [describeSample(suite, sample)];
const compilers = planned.some(({ run }) => run?.projects.includes("node")) ? [describeCompilers()] : [];
const notes = [...planned.map(({ note }) => note), ...compilers, ...sampled].join("\n");
console.log(notes);

const coverageFolder = mkdtempSync(join(tmpdir(), "webgpu-conv-coverage-"));
const coverageOptions = [`--reporter=${join(import.meta.dirname, "coverageReporter.ts")}`];
const outcomes: Outcome[] = [];
for (const { run } of planned) {
  if (!run) continue;
  const environment = { ...run.environment, CONV_COVERAGE: coverageFolder, [SAMPLE_VARIABLE]: sample ?? "" };
  outcomes.push(await runVitest({ ...run, environment }, [...options, ...coverageOptions]));
}
const merged = mergeReports(outcomes.flatMap(({ report }) => report ?? []));
if (reportFile !== undefined) writeFileSync(reportFile, JSON.stringify(merged));

// A part of the tests says nothing about what the whole covers.
const losses = whole ? findLosses(readCoverages(coverageFolder)) : [];
if (whole) keepCoverages(coverageFolder);
rmSync(coverageFolder, { recursive: true });
for (const loss of losses) console.log(`NO LONGER COVERED, though docs/coverage.md lists it: ${loss}`);

for (const failure of listFailures(merged)) console.log(failure);
console.log(`\n${notes}\n${describeCounts(merged, countLeftOut(merged))}`);
process.exitCode = losses.length === 0 && outcomes.every(({ status }) => status === 0) ? 0 : 1;
