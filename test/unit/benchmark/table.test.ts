import { expect, test } from "vitest";
import { failedRow, makeRow, summarise } from "../../../examples/benchmark/report.js";
import { percent, significant } from "../../../examples/benchmark/format.js";
import { formatSummary, formatTable } from "../../../examples/benchmark/table.js";

const ROW = makeRow({
  layer: "a layer [4x4, batch 1]",
  pass: "inputGradient",
  solver: "register-tile",
  input: [1, 1, 4, 4],
  verifiedInput: [1, 1, 4, 4],
  flops: 4e9,
  bytes: 2e8,
  ceilings: { gflops: 100, gigabytesPerSecond: 10 },
  measurement: { medianMs: 100, bestMs: 90, spread: 0.1, samplesMs: [90, 100, 110], repeats: 1 },
  clock: "timestamp",
  verification: { pass: true, maxError: 3e-7, bound: 1e-6, worstError: 2.5e-7, referenceMs: 3000 },
  referenceScale: 1,
});

test("a row says layer, pass, solver, times, ratio, rates, shares, error, bound and verdict", () => {
  const line = formatTable([ROW]).split("\n")[2];
  const cells = line.split(/ {2,}/);
  expect(cells).toEqual([
    "a layer [4x4, batch 1]",
    "inputGradient",
    "register-tile",
    "100",
    "10%",
    "3000",
    "30.0x",
    "40.0",
    "40%",
    "20%",
    "3.0e-7",
    "1.0e-6",
    "25%",
    "pass",
  ]);
});

test("columns line up: every line's verdict begins where the title does", () => {
  const other = { ...ROW, layer: "another layer with a long name", gpuMs: 0.0123 };
  const [head, , ...lines] = formatTable([ROW, other]).split("\n");
  const column = head.indexOf("verdict");
  for (const line of lines.slice(0, 2)) expect(line.indexOf("pass", column)).toBe(column);
});

test("an extrapolated CPU time has its mark, and the mark its explanation", () => {
  const text = formatTable([{ ...ROW, cpuExtrapolated: true }]);
  expect(text).toContain("~3000");
  expect(text).toMatch(/~: the reference ran/);
  expect(formatTable([ROW])).not.toContain("~");
});

test("a pass that did not run shows as failed, with the reason", () => {
  const failed = failedRow("a layer", "forward", [1, 1, 4, 4], new Error("out of memory"));
  const text = formatTable([failed]);
  expect(text).toContain("fail");
  expect(text).toContain("a layer, forward did not run: out of memory");
  expect(formatSummary(summarise([ROW, failed]), [ROW, failed])).toContain(
    "1 of 2 results within their error bounds, 1 FAILED",
  );
});

test("numbers show three digits that matter", () => {
  expect([1234.6, 123.4, 99.96, 12.34, 1.234, 0.1234, 0.01234, 0.00001234, 0].map(significant)).toEqual([
    "1235",
    "123",
    "100",
    "12.3",
    "1.23",
    "0.123",
    "0.0123",
    "0.0000123",
    "0",
  ]);
  expect(significant(NaN)).toBe("NaN");
});

test("shares are told from nothing", () => {
  expect([0, 0.0001, 0.0123, 0.099, 0.34, 1.5].map(percent)).toEqual(["0%", "<0.1%", "1.2%", "9.9%", "34%", "150%"]);
});
