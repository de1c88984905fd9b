/**
 * `npm test`: a sample of the tests, or with `--all` every test, on every platform that there is; one report of all.
 *
 *     tsx test/run/main.ts [all | node | browser | deno | firefox | lavapipe | swiftshader | float16 | demo] [--all]
 *                          [vitest's options and file names]
 *
 * Node, in a process for each core, and Chromium run in one vitest, side by side; the demo page after them, then Firefox, Deno, in a
 * vitest that itself runs in Deno, and last Node again with what speaks of float16, on a driver that computes in it.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CommandLine,
  describeCounts,
  describeSample,
  TURNS_VARIABLE,
  readCommandLine,
  SAMPLE_VARIABLE,
} from "./commandLine.js";
import { findLosses, keepCoverages, readCoverages } from "./coverageFiles.js";
import { findDeno, inDeno } from "./deno.js";
import { chooseForFloat16, chooseForNode, type Driver, findLavapipe, findSwiftShader, isOnGpu } from "./drivers.js";
import { findFirefox, type FoundFirefox, inFirefox } from "./firefox.js";
import { inFloat16 } from "./float16.js";
import { describeCompilers } from "./gpuCompilers.js";
import {
  ALL_CORES,
  countLeftOut,
  listFailures,
  mergeReports,
  NODE,
  type Outcome,
  type Planned,
  runVitest,
} from "./vitest.js";

function inNode({ note, environment }: Driver, projects: readonly string[]): Planned {
  return { run: { runtime: NODE, projects, environment, options: ALL_CORES }, note: `Node runs on ${note}` };
}

/** On software devices Node and Chromium take turns in a whole run of all platforms. */
function inTurns(planned: Planned, { whole, seed }: CommandLine): Planned {
  const { run, note } = planned;
  if (!run || !whole || isOnGpu(run)) return planned;
  const turns = `Node and Chromium take turns, each test of a device on one of them, and some of the cases that are alike, by the seed ${seed}`;
  return {
    run: { ...run, environment: { ...run.environment, [TURNS_VARIABLE]: seed } },
    note: `${note}; ${turns} (npm run test:node -- --all and npm run test:browser -- --all run all)`,
  };
}

/** The page in a browser that has a driver of its own; and its parts in Firefox, where that is found. */
function inDemo(firefox: FoundFirefox): Planned {
  const isFound = !("missing" in firefox);
  const environment = isFound ? firefox.environment : {};
  const words = isFound ? "Chromium, and its parts are opened in Firefox" : "Chromium";
  return { run: { runtime: NODE, projects: ["demo"], environment }, note: `The demo page runs in ${words}` };
}

/** The driver that was asked for by name: there, or an error. */
function demand(driver: Driver | { readonly missing: string } | undefined): Driver {
  if (!driver || "missing" in driver) throw new Error(driver?.missing ?? "there is no SwiftShader for this platform");
  return driver;
}

async function planAll(line: CommandLine): Promise<readonly Planned[]> {
  const [node, firefox, deno] = [await chooseForNode("speed"), await findFirefox("speed"), await findDeno()];
  const float16 = chooseForFloat16();
  return [
    inTurns(inNode(node, ["node", "chromium"]), line),
    inDemo(firefox),
    inFirefox(firefox, line),
    inDeno(deno, line),
    ...(float16 ? [inFloat16(float16, line)] : []),
  ];
}

async function plan(line: CommandLine): Promise<readonly Planned[]> {
  switch (line.suite) {
    case "all":
      return await planAll(line);
    case "node":
      return [inNode(await chooseForNode("float16"), ["node"])];
    case "browser":
      return [
        { run: { runtime: NODE, projects: ["chromium"], environment: {} }, note: "Chromium runs on its own driver" },
      ];
    case "deno":
      return [inDeno(await findDeno(), line)];
    case "lavapipe":
      return [inNode(demand(findLavapipe()), ["node"])];
    case "swiftshader":
      return [inNode(demand(await findSwiftShader()), ["node"])];
    case "float16":
      return [inFloat16(demand(findLavapipe()), line)];
    case "demo":
      return [inDemo(await findFirefox("speed"))];
    case "firefox":
      return [inFirefox(await findFirefox("float16"), line)];
  }
}

const line = readCommandLine(process.argv.slice(2), process.env);
const { suite, reportFile, options, sample, whole } = line;
const planned = await plan(line);
const sampled = sample === undefined ? [] : [describeSample(suite, sample)];
const compilers = planned.some(({ run }) => run?.projects.includes("node")) ? [describeCompilers()] : [];
const notes = [...planned.map(({ note }) => note), ...compilers, ...sampled].join("\n");
console.log(notes);

const coverageFolder = mkdtempSync(join(tmpdir(), "webgpu-conv-coverage-"));
const coverageOptions = [`--reporter=${join(import.meta.dirname, "coverageReporter.ts")}`];
const outcomes: Outcome[] = [];
for (const { run } of planned) {
  if (!run) continue;
  const environment = { CONV_COVERAGE: coverageFolder, [SAMPLE_VARIABLE]: sample ?? "", ...run.environment };
  // A sample says nothing about what the whole covers.
  const reporters = environment[SAMPLE_VARIABLE] === "" ? coverageOptions : [];
  outcomes.push(await runVitest({ ...run, environment }, [...options, ...reporters]));
}
const merged = mergeReports(outcomes.flatMap(({ report }) => report ?? []));
if (reportFile !== undefined) writeFileSync(reportFile, JSON.stringify(merged));

// A part of the tests says nothing about what the whole covers.
const losses = whole ? findLosses(readCoverages(coverageFolder)) : [];
// Platforms that take turns cover a part each.
if (whole && suite !== "all") keepCoverages(coverageFolder);
rmSync(coverageFolder, { recursive: true });
for (const loss of losses) console.log(`NO LONGER COVERED, though docs/coverage.md lists it: ${loss}`);

for (const failure of listFailures(merged)) console.log(failure);
console.log(`\n${notes}\n${describeCounts(merged, countLeftOut(merged))}`);
process.exitCode = losses.length === 0 && outcomes.every(({ status }) => status === 0) ? 0 : 1;
