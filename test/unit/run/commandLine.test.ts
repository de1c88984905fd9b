/** How `npm test` reads its command line and adds up reports. */
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { describeCounts, readCommandLine } from "../../run/commandLine.js";
import { listFailures, mergeReports, type Report } from "../../run/vitest.js";

describe("the command line", () => {
  test("without anything: every suite, whole, reported to people", () => {
    expect(readCommandLine([])).toEqual({
      suite: "all",
      reportFile: undefined,
      options: ["--reporter=default"],
      whole: true,
    });
  });

  test("a suite comes first; the JSON report is the runner's own business", () => {
    const parameters = ["deno", "--reporter=dot", "--reporter=json", "--outputFile.json=out.json"];
    expect(readCommandLine(parameters)).toEqual({
      suite: "deno",
      reportFile: "out.json",
      options: ["--reporter=dot"],
      whole: true,
    });
    expect(readCommandLine(["--reporter=json", "--outputFile=out.json"]).reportFile).toBe("out.json");
  });

  test.each([["test/gpu/exact.test.ts"], ["node", "exact"], ["--testNamePattern=odd"], ["--shard=1/2"]])(
    "%s %s is not the whole suite, and is passed on",
    (...parameters) => {
      const { whole, options } = readCommandLine(parameters);
      expect(whole).toBe(false);
      expect(options).toContain(parameters[parameters.length - 1]);
    },
  );
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

  test("that are all missing count nothing", () => {
    expect(describeCounts(mergeReports([]))).toBe("0 passed, 0 failed");
  });
});
