/** What the report of kernels tells of plans. */
import { describe, expect, test } from "vitest";
import { CASES, chooseCases, variantOf } from "../../../examples/kernels/cases.js";
import { DESCRIBED } from "../../../examples/kernels/devices.js";
import { LAYERS } from "../../../examples/kernels/layers.js";
import type { Compiled } from "../../../examples/kernels/machine/statistics.js";
import { isGemmLike, operationOf, planCase, workgroupThreads } from "../../../examples/kernels/plan.js";
import { fewestWaves, geometricMean, issueBound, makeRow, scratchInLoops } from "../../../examples/kernels/rows.js";
import { summarize } from "../../../examples/kernels/summary.js";
import { table } from "../../../examples/kernels/table.js";
import type { SolverChoice } from "../../../src/planning/choice.js";
import { product } from "../../../src/problem/geometry.js";

const caseOf = (filter: string, batch: number) => {
  const [wanted] = chooseCases({ filter, batch }).filter((candidate) => variantOf(candidate) === "");
  return wanted;
};

describe("cases", () => {
  test("every layer in both batches and all passes, some in other forms", () => {
    const varied = LAYERS.filter((layer) => layer.varied).length;
    expect(CASES).toHaveLength(6 * LAYERS.length + 12 * varied);
    expect(new Set(LAYERS.map(({ network, name }) => `${network} ${name}`)).size).toBe(LAYERS.length);
  });

  test("are chosen by the words of their names, and by the batch", () => {
    const chosen = chooseCases({ filter: "deeplab FORWARD", batch: 32 });
    expect(chosen.map(variantOf)).toEqual(["", "channels-last", "float16"]);
    expect(chosen.every(({ batch, pass }) => batch === 32 && pass === "forward")).toBe(true);
    expect(chooseCases({ filter: "no such layer" })).toEqual([]);
  });

  test("a transposed layer's forward pass is an input gradient, whose result is the larger", () => {
    const { direction, problem } = operationOf(caseOf("U-Net 1024>512 forward", 1));
    expect([direction, problem.inputShape, problem.outputShape]).toEqual([
      "inputGradient",
      [1, 512, 56, 56],
      [1, 1024, 28, 28],
    ]);
    expect(operationOf(caseOf("DCGAN input gradient", 1)).direction).toBe("forward");
    expect(operationOf(caseOf("DeepLab input gradient", 1)).direction).toBe("inputGradient");
  });

  test("a product of matrices has 8 result channels a group", () => {
    expect(isGemmLike(caseOf("ResNet-50 3>64 forward", 1))).toBe(true);
    expect(isGemmLike(caseOf("ResNet-50 3>64 input gradient", 1))).toBe(false);
    expect(isGemmLike(caseOf("MobileNetV2 depthwise 32 weight gradient", 1))).toBe(false);
  });
});

describe("plans", () => {
  test("tell tile, threads, scratch memory and bytes of a split sum", async () => {
    const tile = { threadsN: 8, threadsM: 8, mPerThread: 4, vectorsPerThread: 1, tileK: 8 };
    const choice = { name: "implicit-gemm", config: { ...tile, splitK: 3 } };
    const planned = await planCase(caseOf("ResNet-50 128>128 3x3/2 forward", 1), DESCRIBED, choice);
    const { solver, shape, main, dispatches, scratchBytes, movedBytes, leastBytes } = planned;
    expect([solver, shape, dispatches.length]).toEqual(["implicit-gemm", "32x32x8", 2]);
    expect(main).toBe(dispatches[0]);
    expect([main.workgroups, main.threads]).toEqual([3 * 4 * 25, 64 * 3 * 4 * 25]);
    const results = 4 * product([128, 28, 28]);
    expect(scratchBytes).toBe(3 * results);
    expect(leastBytes).toBe(4 * product([128, 56, 56]) + 4 * 128 * 128 * 9 + results);
    // The partial results are written, and read again.
    expect(movedBytes).toBe(leastBytes + 2 * scratchBytes);
  });

  test("name Winograd's tile and that of its product, and the knobs of others", async () => {
    const shapeOf = async (filter: string, choice: SolverChoice): Promise<string> =>
      (await planCase(caseOf(filter, 1), DESCRIBED, choice)).shape;
    const winograd = { name: "winograd", config: { tile: 2 } };
    expect(await shapeOf("VGG-16 128>128 forward", winograd)).toMatch(/^F\(2\) \d+x\d+x\d+$/);
    const product = { threads: 32, mPerThread: 8, placesPerThread: 1, unroll: 4 };
    const scalar = { name: "winograd", config: { tile: 4, ...product } };
    expect(await shapeOf("VGG-16 128>128 forward", scalar)).toBe("F(4) m 8 places 1 unroll 4");
    const window = { name: "rolling-window", config: { mPerThread: 1, columns: 4, rows: 8 } };
    expect(await shapeOf("MobileNetV2 depthwise 144 forward", window)).toBe("m 1 columns 4 rows 8");
  });

  test("count threads of a workgroup as the text does", () => {
    const code = "const X: u32 = 16u;\nconst Y: u32 = X / 2u;\n@compute @workgroup_size(X, Y)\nfn main() {}\n";
    expect(workgroupThreads(code)).toBe(128);
    expect(workgroupThreads("@compute @workgroup_size(64) fn main() {}")).toBe(64);
  });
});

describe("rows and summaries", () => {
  const compiled = (parts: Partial<Compiled>): Compiled => ({
    number: 1,
    vendor: "amd",
    subgroup: 64,
    registers: 64,
    waves: 16,
    spills: 0,
    fills: 0,
    instructions: 100,
    scratchInLoops: 0,
    hotLoop: {
      counts: {
        multiplyAdd: 8,
        multiplyAdds: 8,
        vector: 2,
        slowMultiply: 0,
        scalar: 0,
        memory: 0,
        shared: 0,
        scratch: 0,
      },
    },
    ...parts,
  });

  test("a plan is as bad as the worst of its dispatches, and bounded by the one that multiplies", async () => {
    const planned = await planCase(caseOf("VGG-16 512>512 3x3 28 forward", 1), DESCRIBED, "winograd");
    const { main, dispatches } = planned;
    const byKey = new Map(
      dispatches.map(({ text }) => [text.key, compiled({ waves: 3, scratchInLoops: 2, hotLoop: undefined })]),
    );
    const row = makeRow(planned, byKey.set(main.text.key, compiled({})));
    expect([fewestWaves(row), scratchInLoops(row)]).toEqual([3, 2 * (dispatches.length - 1)]);
    expect(issueBound(row)).toBeCloseTo(0.8 * planned.usefulShare, 12);
    const summary = summarize(["one"], [row, makeRow(planned, new Map())]);
    expect(summary).toMatchObject({ plans: 2, spilling: 1, fewWaves: 1, instructions: 1.25 });
    expect(summary.bound).toBeCloseTo(0.8 * planned.usefulShare, 12);
  });

  test("means are geometric, of nothing there is none", () => {
    expect(geometricMean([0.25, 1])).toBeCloseTo(0.5, 12);
    expect(geometricMean([])).toBeUndefined();
  });

  test("tables align text to the left, numbers to the right", () => {
    const columns = [
      { title: "name", isText: true, cell: ([name]: readonly string[]) => name },
      { title: "n", cell: ([, n]: readonly string[]) => n },
    ];
    expect(table(columns, [["a", "1000"]])).toBe("| name |    n |\n| ---- | ---: |\n| a    | 1000 |\n");
  });
});
