/** The command line of `npm test`: a suite's name, then what vitest understands. */

/** What there is to run. "all" is what CI runs. */
export const SUITES = [
  "all",
  "node",
  "browser",
  "deno",
  "firefox",
  "lavapipe",
  "swiftshader",
  "float16",
  "demo",
] as const;
export type Suite = (typeof SUITES)[number];

export interface CommandLine {
  readonly suite: Suite;
  /** Where the merged JSON report is wanted; undefined where it is not. */
  readonly reportFile: string | undefined;
  /** What vitest is to be given: reporters for people, and what was passed on. */
  readonly options: readonly string[];
  /** The seed of a short run, which takes a sample of the tests; undefined where all that were asked for are run. */
  readonly sample: string | undefined;
  /** The seed of samples that a whole run takes, too: the day's, or the one that `CONV_SAMPLE` names. */
  readonly seed: string;
  /** Whether every test of the suite is run: no sample, no file, no name, no other number of random problems. */
  readonly whole: boolean;
}

const REPORT_FILE = /^--outputFile(?:\.json)?=(.+)$/;
/** Options that choose no tests. */
const PRESENTATION = /^--(reporter|outputFile|silent|no-color|color)/;

/** Asks for the whole suite in the place of a sample. */
const ALL = "--all";

/** Variables that choose random problems. */
const CHOICES = ["CONV_SEED", "CONV_COUNT"];
/** The variable that names a sample: of this run, and to vite.config.ts. */
export const SAMPLE_VARIABLE = "CONV_SAMPLE";
/** The variable that says of how many groups of tests a sample takes one, to vite.config.ts. */
export const GROUPS_VARIABLE = "CONV_ONE_GROUP_IN";
/** The variable with the seed by which platforms take turns in a whole run of all (test/support/turns.ts), to vite.config.ts. */
export const TURNS_VARIABLE = "CONV_TURNS";
/** The variable that adds the project of test/run/float16.ts to vite.config.ts. */
export const FLOAT16_VARIABLE = "CONV_FLOAT16";
/** The variable that names a file of which a sample takes every test, to vite.config.ts. */
export const WHOLE_FILE_VARIABLE = "CONV_WHOLE_FILE";

/** Another sample each day: 20260131. */
const seedOfDay = (day: Date): string => day.toISOString().slice(0, 10).replaceAll("-", "");

/** Without a choice of tests, and without `--all`, a sample is run: the day's, or the one that `CONV_SAMPLE` names. */
export function readCommandLine(
  parameters: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = {},
  today = new Date(),
): CommandLine {
  const [first = "all", ...rest] = parameters;
  const named = SUITES.find((name) => name === first);
  const passed = named === undefined ? parameters : rest;
  const own = (option: string): boolean => REPORT_FILE.test(option) || option === "--reporter=json" || option === ALL;
  const others = passed.filter((option) => !own(option));
  const hasReporter = others.some((option) => option.startsWith("--reporter"));
  const everything = others.every((option) => PRESENTATION.test(option)) && CHOICES.every((name) => !environment[name]);
  const asked = environment[SAMPLE_VARIABLE] ?? "";
  const seed = asked === "" ? seedOfDay(today) : asked;
  const isShort = (everything || asked !== "") && !passed.includes(ALL);
  const sample = isShort ? seed : undefined;
  return {
    suite: named ?? "all",
    reportFile: passed.map((option) => REPORT_FILE.exec(option)?.[1]).find((file) => file !== undefined),
    options: hasReporter ? others : ["--reporter=default", ...others],
    sample,
    seed,
    whole: everything && sample === undefined,
  };
}

/** What a short run leaves out, and how all of it is run: for the beginning and the end of its log. */
export function describeSample(suite: Suite, sample: string): string {
  const command = suite === "all" ? "npm test" : `npm run test:${suite}`;
  return [
    `A SHORT RUN: of each group of tests one to ten, by the seed ${sample}. It leaves out the others, and the check of docs/coverage.md.`,
    `To run everything: ${command} -- --all. To run this sample again: ${SAMPLE_VARIABLE}=${sample} ${command}`,
  ].join("\n");
}

interface Counts {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
}

/** Counts in a line: "12 passed, 0 failed"; what was skipped where anything was; and what a short run left out, by project. */
export function describeCounts(counts: Counts, leftOut: ReadonlyMap<string, number> = new Map()): string {
  const total = [...leftOut.values()].reduce((sum, count) => sum + count, 0);
  const skipped = counts.numPendingTests - total;
  const parts = [`${String(counts.numPassedTests)} passed`, `${String(counts.numFailedTests)} failed`];
  if (skipped > 0) parts.push(`${String(skipped)} skipped`);
  if (total === 0) return parts.join(", ");
  const projects = [...leftOut].map(([project, count]) => `${project} ${String(count)}`);
  return `${parts.join(", ")}; ${String(total)} left out (${projects.join(", ")})`;
}
