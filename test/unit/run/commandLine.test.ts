/** How `npm test` reads its command line and adds up reports. */
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { describeCounts, describeSample, readCommandLine } from "../../run/commandLine.js";
import { countLeftOut, listFailures, mergeReports, type Report } from "../../run/vitest.js";

const TODAY = new Date("2026-01-31T23:59:00Z");
const read = (parameters: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
  readCommandLine(parameters, environment, TODAY);

describe("the command line", () => {
  test("without anything: of every suite the day's sample, reported to people", () => {
    expect(read([])).toEqual({
      suite: "all",
      reportFile: undefined,
      options: ["--reporter=default"],
      sample: "20260131",
      seed: "20260131",
      whole: false,
    });
  });

  test("with --all: the whole, of every suite or of one", () => {
    const whole = {
      reportFile: undefined,
      options: ["--reporter=default"],
      sample: undefined,
      seed: "20260131",
      whole: true,
    };
    expect(read(["--all"])).toEqual({ ...whole, suite: "all" });
    expect(read(["demo", "--all"])).toEqual({ ...whole, suite: "demo" });
  });

  test("a suite comes first; the JSON report is the runner's own business", () => {
    const parameters = ["deno", "--all", "--reporter=dot", "--reporter=json", "--outputFile.json=out.json"];
    expect(read(parameters)).toEqual({
      suite: "deno",
      reportFile: "out.json",
      options: ["--reporter=dot"],
      sample: undefined,
      seed: "20260131",
      whole: true,
    });
    expect(read(["--reporter=json", "--outputFile=out.json"]).reportFile).toBe("out.json");
  });

  test.each([["test/gpu/exact.test.ts"], ["node", "exact"], ["--testNamePattern=odd"], ["--shard=1/2"]])(
    "%s %s is not the whole suite, is passed on, and no sample is taken of it",
    (...parameters) => {
      const { whole, options, sample } = read(parameters);
      expect(whole).toBe(false);
      expect(sample).toBeUndefined();
      expect(options).toContain(parameters[parameters.length - 1]);
    },
  );

  test("a sample that is named is taken, unless all is asked for", () => {
    expect(read([], { CONV_SAMPLE: "7" })).toMatchObject({ sample: "7", whole: false });
    expect(read(["exact"], { CONV_SAMPLE: "7" })).toMatchObject({ sample: "7", whole: false });
    expect(read(["--all"], { CONV_SAMPLE: "7" })).toMatchObject({ sample: undefined, seed: "7", whole: true });
  });

  test("random problems of one's own choice are no sample, and not the whole", () => {
    for (const name of ["CONV_SEED", "CONV_COUNT"]) {
      expect(read([], { [name]: "3" })).toMatchObject({ sample: undefined, whole: false });
    }
  });

  test("a short run says how to run everything, and the same sample again", () => {
    expect(describeSample("all", "20260131")).toMatch(/npm test -- --all\. .*CONV_SAMPLE=20260131 npm test$/);
    expect(describeSample("deno", "7")).toMatch(/npm run test:deno -- --all\. .*CONV_SAMPLE=7 npm run test:deno$/);
  });
});

describe("reports", () => {
  type FileReport = Report["testResults"][number];
  const file = (status: string, assertionResults: FileReport["assertionResults"]): FileReport => ({
    name: resolve("test/gpu/some.test.ts"),
    status,
    assertionResults,
  });
  const passing = { fullName: "adds 1 and 1", status: "passed" };
  const failing = { fullName: "adds 1 and 2", status: "failed", failureMessages: ["expected 3\ngot 4\nat x\nat y"] };
  const report = (passed: number, failed: number, pending: number): Report => ({
    success: failed === 0,
    numPassedTests: passed,
    numFailedTests: failed,
    numPendingTests: pending,
    testResults: [failed === 0 ? file("passed", [passing]) : file("failed", [passing, failing])],
  });

  test("are added up; one failure is a failure of all", () => {
    const merged = mergeReports([report(3, 0, 0), report(4, 1, 2)]);
    const testResults = [report(3, 0, 0), report(4, 1, 2)].flatMap((one) => one.testResults);
    expect(merged).toEqual({ ...report(7, 1, 2), testResults });
    expect(merged.success).toBe(false);
    expect(mergeReports([report(3, 0, 0), report(4, 0, 0)]).success).toBe(true);
    expect(describeCounts(merged)).toBe("7 passed, 1 failed, 2 skipped");
  });

  test("count a file that could not be loaded as a failed test", () => {
    const unloadable = { ...report(0, 0, 0), success: false, testResults: [file("failed", [])] };
    expect(describeCounts(mergeReports([report(3, 0, 0), unloadable]))).toBe("3 passed, 1 failed");
  });

  test("name what failed, a line each, for the end of a long log", () => {
    const testResults = [{ ...file("failed", [passing]), message: "no such module" }];
    expect(listFailures(mergeReports([report(1, 1, 0), report(3, 0, 0), { ...report(0, 0, 0), testResults }]))).toEqual(
      [
        "FAILED test/gpu/some.test.ts > adds 1 and 2: expected 3 | got 4 | at x",
        "FAILED test/gpu/some.test.ts: no such module",
      ],
    );
  });

  test("tell what a short run left out from what was skipped", () => {
    const leftOut = (project: string) => ({ fullName: "adds", status: "skipped", meta: { leftOut: project } });
    const tests = [passing, leftOut("node"), { fullName: "adds", status: "skipped" }, leftOut("deno"), leftOut("node")];
    const merged = mergeReports([{ ...report(1, 0, 4), testResults: [file("passed", tests)] }]);
    const counts = countLeftOut(merged);
    expect([...counts]).toEqual([
      ["node", 2],
      ["deno", 1],
    ]);
    expect(describeCounts(merged, counts)).toBe("1 passed, 0 failed, 1 skipped; 3 left out (node 2, deno 1)");
  });

  test("that are all missing count nothing", () => {
    expect(describeCounts(mergeReports([]))).toBe("0 passed, 0 failed");
  });
});
