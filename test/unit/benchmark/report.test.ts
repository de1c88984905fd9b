import { compare } from "webgpu-conv/reference";
import { expect, test } from "vitest";
import {
  type BenchmarkReport,
  exitCodeOf,
  failedRow,
  makeRow,
  reportJson,
  type Row,
  type RowFindings,
  summarise,
} from "../../../examples/benchmark/report.js";

const CEILINGS = { gflops: 100, gigabytesPerSecond: 10 };
const PASSING = compare([1, 2], [1, 2.25], [0.5, 0.5]);

function findings(changed: Partial<RowFindings> = {}): RowFindings {
  return {
    layer: "a layer",
    pass: "forward",
    solver: "direct",
    input: [1, 1, 4, 4],
    verifiedInput: [1, 1, 4, 4],
    flops: 4e9,
    bytes: 2e8,
    ceilings: CEILINGS,
    measurement: { medianMs: 100, bestMs: 90, spread: 0.1, samplesMs: [90, 100, 110], repeats: 1 },
    clock: "timestamp",
    verification: { ...PASSING, referenceMs: 3000 },
    referenceScale: 1,
    ...changed,
  };
}

test("rates and shares follow from the median", () => {
  const row = makeRow(findings());
  expect(row).toMatchObject({
    gpuMs: 100,
    spread: 0.1,
    cpuMs: 3000,
    gflops: 40,
    fmaShare: 0.4,
    cpuExtrapolated: false,
  });
  expect(row.copyShare).toBeCloseTo(0.2, 12);
});

test("the reference's time is scaled where a smaller problem was verified, and the row says so", () => {
  const row = makeRow(findings({ referenceScale: 8, verifiedInput: [1, 1, 2, 2] }));
  expect(row).toMatchObject({ cpuMs: 24_000, cpuExtrapolated: true, verifiedInput: [1, 1, 2, 2] });
});

test("an element within its bound passes, one beyond it fails", () => {
  expect(makeRow(findings())).toMatchObject({ maxError: 0.25, bound: 0.5, errorOverBound: 0.5, verdict: "pass" });
  const verification = { ...compare([1, 3], [1, 2], [0.5, 0.5]), referenceMs: 1 };
  expect(makeRow(findings({ verification }))).toMatchObject({ maxError: 1, errorOverBound: 2, verdict: "fail" });
});

test("bound is that of the element closest to its bound, not that of the largest error", () => {
  const verification = { ...compare([1.5, 0.125], [0, 0], [6, 0.25]), referenceMs: 1 };
  const row = makeRow(findings({ verification }));
  expect(row).toMatchObject({ maxError: 1.5, bound: 0.25, errorOverBound: 0.5, verdict: "pass" });
});

test("NaN fails, and so does a result of the wrong length", () => {
  for (const actual of [[1, NaN], [1]]) {
    const verification = { ...compare(actual, [1, 2], [0.5, 0.5]), referenceMs: 1 };
    const row = makeRow(findings({ verification }));
    expect(row.verdict).toBe("fail");
    expect(exitCodeOf([makeRow(findings()), row])).toBe(1);
  }
});

test("elements that are exactly right at a bound of 0 count as 0, not as NaN", () => {
  const verification = { ...compare([0, 0], [0, 0], [0, 0]), referenceMs: 1 };
  expect(makeRow(findings({ verification }))).toMatchObject({ errorOverBound: 0, verdict: "pass" });
});

test("the exit code is 0 only when every verdict passes", () => {
  const row = makeRow(findings());
  expect(exitCodeOf([row, row])).toBe(0);
  const failed = failedRow("a layer", "forward", [1, 1, 4, 4], new Error("it did not compile"));
  expect(failed).toMatchObject({ verdict: "fail", error: "it did not compile" });
  expect(exitCodeOf([row, failed])).toBe(1);
});

test("the summary has geometric means for each pass that ran", () => {
  const fast = makeRow(findings({ flops: 16e9 }));
  const slow = makeRow(findings());
  const [summary, ...others] = summarise([fast, slow]);
  expect(others).toEqual([]);
  expect(summary).toMatchObject({ pass: "forward", rows: 2 });
  expect(summary.gflops).toBeCloseTo(80, 9);
  expect(summary.cpuRatio).toBeCloseTo(30, 9);
});

test("a failed row does not spoil the summary", () => {
  const failed = failedRow("a layer", "forward", [1, 1, 4, 4], "lost");
  const [{ gflops }] = summarise([makeRow(findings()), failed]);
  expect(gflops).toBeCloseTo(40, 9);
});

test("the JSON has the promised fields", () => {
  const rows = [makeRow(findings()), makeRow(findings({ pass: "weightGradient" }))];
  const report: BenchmarkReport = {
    adapter: "a device",
    software: true,
    ceilings: CEILINGS,
    rows,
    summary: summarise(rows),
  };
  const read = JSON.parse(reportJson(report)) as BenchmarkReport;
  expect(read).toMatchObject({ adapter: "a device", software: true, ceilings: CEILINGS });
  expect(read.rows).toHaveLength(2);
  const promised = ["layer", "pass", "solver", "gpuMs", "cpuMs", "gflops", "maxError", "bound", "verdict"] as const;
  for (const row of read.rows) {
    const types = promised.map((field: keyof Row) => typeof row[field]);
    expect(types).toEqual(["string", "string", "string", ...new Array<string>(5).fill("number"), "string"]);
  }
});

test("a row without numbers is null in JSON, never a number that was not measured", () => {
  const rows = [failedRow("a layer", "forward", [1, 1, 4, 4], "lost")];
  const text = reportJson({ adapter: "a device", software: true, ceilings: CEILINGS, rows, summary: [] });
  const read = JSON.parse(text) as { rows: Record<string, unknown>[] };
  expect(read.rows[0]).toMatchObject({ gpuMs: null, maxError: null, verdict: "fail", error: "lost" });
});
