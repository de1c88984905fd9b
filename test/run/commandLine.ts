/** The command line of `npm test`: a suite's name, then what vitest understands. */

/** What there is to run. "all" is what CI runs. */
export const SUITES = ["all", "node", "browser", "deno", "lavapipe", "swiftshader", "demo"] as const;
export type Suite = (typeof SUITES)[number];

export interface CommandLine {
  readonly suite: Suite;
  /** Where the merged JSON report is wanted; undefined where it is not. */
  readonly reportFile: string | undefined;
  /** What vitest is to be given: reporters for people, and what was passed on. */
  readonly options: readonly string[];
  /** Whether every test of the suite was asked for: no file, no name, no other number of random problems. */
  readonly whole: boolean;
}

const REPORT_FILE = /^--outputFile(?:\.json)?=(.+)$/;
/** Options that choose no tests. */
const PRESENTATION = /^--(reporter|outputFile|silent|no-color|color)/;

/** Variables that choose random problems. */
const CHOICES = ["CONV_SEED", "CONV_COUNT"];

export function readCommandLine(
  parameters: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = {},
): CommandLine {
  const [first = "all", ...rest] = parameters;
  const named = SUITES.find((name) => name === first);
  const passed = named === undefined ? parameters : rest;
  const others = passed.filter((option) => !REPORT_FILE.test(option) && option !== "--reporter=json");
  const hasReporter = others.some((option) => option.startsWith("--reporter"));
  return {
    suite: named ?? "all",
    reportFile: passed.map((option) => REPORT_FILE.exec(option)?.[1]).find((file) => file !== undefined),
    options: hasReporter ? others : ["--reporter=default", ...others],
    whole: others.every((option) => PRESENTATION.test(option)) && CHOICES.every((name) => !environment[name]),
  };
}

/** Counts in a line: "12 passed, 0 failed", and what was skipped where anything was. */
export function describeCounts(counts: {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
}): string {
  const { numPassedTests, numFailedTests, numPendingTests } = counts;
  const skipped = numPendingTests > 0 ? `, ${String(numPendingTests)} skipped` : "";
  return `${String(numPassedTests)} passed, ${String(numFailedTests)} failed${skipped}`;
}
