/** Runs vitest in a process of its own, in Node or in Deno, and reads what it reports. */
import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

const packages = createRequire(import.meta.url);
const VITEST = join(dirname(packages.resolve("vitest/package.json")), "vitest.mjs");

/** What it says of one file. */
interface FileReport {
  readonly name: string;
  readonly status: string;
  /** Why it failed as a whole. */
  readonly message?: string;
  readonly assertionResults: readonly {
    readonly fullName: string;
    readonly status: string;
    /** The project whose short run left the test out. */
    readonly meta?: { readonly leftOut?: string };
    readonly failureMessages?: readonly string[] | null;
  }[];
}

/** What vitest's JSON reporter writes, as far as it is used here. */
export interface Report {
  readonly success: boolean;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly FileReport[];
}

/** One run of vitest. */
export interface Run {
  /** What it runs in: the command and its arguments before vitest's own. */
  readonly runtime: readonly string[];
  readonly projects: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Of vitest, for this run alone. */
  readonly options?: readonly string[];
}

/** A run, and what it runs on, for people. A run that cannot be is a note alone. */
export interface Planned {
  readonly run?: Run;
  readonly note: string;
}

/** Test files in a process for each core. Left alone, vitest keeps one core for itself, which it does not need. */
export const ALL_CORES: readonly string[] = [`--maxWorkers=${String(availableParallelism())}`];

/** A run in this very Node. */
export const NODE: readonly string[] = [process.execPath];

/** A run's exit status (0: all passed), and its report where it got as far as writing one. */
export interface Outcome {
  readonly status: number;
  readonly report: Report | undefined;
}

export async function runVitest(run: Run, options: readonly string[]): Promise<Outcome> {
  const { runtime, projects, environment, options: own = [] } = run;
  const file = join(tmpdir(), `webgpu-conv-report-${String(process.pid)}-${projects.join("-")}.json`);
  const [command, ...before] = [...runtime, VITEST, "run", "--passWithNoTests"];
  const chosen = projects.flatMap((name) => ["--project", name]);
  const reporters = ["--reporter=json", `--outputFile.json=${file}`];
  const child = spawn(command, [...before, ...chosen, ...reporters, ...own, ...options], {
    stdio: "inherit",
    env: { ...process.env, ...environment },
  });
  const status = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
  try {
    return { status, report: JSON.parse(readFileSync(file, "utf8")) as Report };
  } catch {
    // It failed before there was anything to report: its status says so.
    return { status: status || 1, report: undefined };
  } finally {
    rmSync(file, { force: true });
  }
}

/** Whether the file failed as a whole, which vitest counts among no tests: it could not be loaded, or a hook threw. */
const failedAsWhole = ({ status, assertionResults }: FileReport): boolean =>
  status === "failed" && assertionResults.every((test) => test.status !== "failed");

/** The runs' reports as one: counts added up, files one after the other. A file that failed as a whole is a failed test. */
export function mergeReports(reports: readonly Report[]): Report {
  const sum = (count: (report: Report) => number): number =>
    reports.reduce((total, report) => total + count(report), 0);
  const testResults = reports.flatMap((report) => report.testResults);
  return {
    success: reports.every(({ success }) => success),
    numPassedTests: sum(({ numPassedTests }) => numPassedTests),
    numFailedTests: sum(({ numFailedTests }) => numFailedTests) + testResults.filter(failedAsWhole).length,
    numPendingTests: sum(({ numPendingTests }) => numPendingTests),
    testResults,
  };
}

/** A line for each test that failed, with its file and the beginning of its message: for the end of a long log. */
export function listFailures({ testResults }: Report): readonly string[] {
  return testResults.flatMap((file) => {
    const line = (test: string, message = ""): string =>
      `FAILED ${relative(process.cwd(), file.name)}${test}: ${message.split("\n", 3).join(" | ")}`;
    if (failedAsWhole(file)) return [line("", file.message)];
    const failed = file.assertionResults.filter((test) => test.status === "failed");
    return failed.map((test) => line(` > ${test.fullName}`, test.failureMessages?.[0]));
  });
}

/** How many tests a short run left out, by project. */
export function countLeftOut({ testResults }: Report): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { meta } of testResults.flatMap(({ assertionResults }) => assertionResults)) {
    if (meta?.leftOut !== undefined) counts.set(meta.leftOut, (counts.get(meta.leftOut) ?? 0) + 1);
  }
  return counts;
}
