/** Reports of kernels that do not work: whole where they are small, and never too large to be stored. */
import { expect, test } from "vitest";
import { plainOperation } from "../../../src/calls/calls.js";
import { makeProblem } from "../../../src/problem/problem.js";
import type { TrialTensor } from "../../../src/vetting/experiment.js";
import { makeFault } from "../../../src/vetting/report.js";

const operation = plainOperation("forward", makeProblem(2, [1, 1, 4, 4], [1, 1, 1, 1], {}), { dtype: "float32" });
const plan = { solver: "direct", config: {}, dispatches: [], scratchBytes: {} };

const tensorsOf = (count: number, size: number): TrialTensor[] =>
  Array.from({ length: count }, (_, i) => {
    return { name: `parameter${String(i)}`, shape: [size], values: new Float32Array(size).fill(-3) };
  });

const reportOf = async (inputs: readonly TrialTensor[], size = 4): Promise<string> => {
  const got = new Float32Array(size).fill(2);
  const compared = { name: "y", got, expected: new Float64Array(size).fill(5) };
  return (await makeFault({ operation, plan, inputs, platform: "a device", compared }, "wrong results", "why")).report;
};

test("few values are all there", async () => {
  const report = await reportOf(tensorsOf(3, 5));
  for (let i = 0; i < 3; i++) expect(report).toContain(`## parameter${String(i)} [5]\n\n-3 -3 -3 -3 -3\n\n`);
  expect(report).toContain("## y, got\n\n2 2 2 2\n\n## y, expected\n\n5 5 5 5");
});

test("of many inputs, as an optimizer has them, each gives a share", async () => {
  const report = await reportOf(tensorsOf(400, 2000), 5000);
  expect(report.length).toBeLessThan(60_000);
  expect(report).toContain("## parameter399 [2000]\n\n-3 -3 -3 -3 -3 -3 -3 -3 -3 -3 -3 ... and 1989 more");
  expect(report).toMatch(/## y, got\n\n(2 ){4096}\.\.\. and 904 more/);
});
