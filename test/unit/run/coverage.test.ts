/** docs/coverage.md: what is recorded of a test, how it is written, and that it is read back. */
import { createEngine } from "webgpu-conv";
import { format } from "prettier";
import { describe, expect, test } from "vitest";
import { type DeviceCoverage, formatCoverage, lostCells, parseCoverage } from "../../run/coverageTable.js";
import { FeatureRecorder } from "../../support/features.js";

describe("what is recorded", () => {
  const make = async (): Promise<FeatureRecorder> => new FeatureRecorder(await createEngine({ backend: "cpu" }));
  const zeros = (count: number): Float32Array => new Float32Array(count);

  test("the features of a convolution, once its result is read", async () => {
    const recorder = await make();
    const { engine } = recorder;
    using x = engine.tensor(zeros(2 * 4 * 49), [2, 4, 7, 7]);
    using w = engine.tensor(zeros(4 * 9), [4, 1, 3, 3]);
    using y = engine.conv2d(x, w, {
      groups: 4,
      stride: [1, 2],
      padding: [1, 0],
      activation: "relu",
      solver: "reference",
    });
    expect(recorder.take().cells).toEqual([]);
    await y.data();
    const features = [
      "activation relu",
      "any",
      "depthwise",
      "groups",
      "padding",
      "several images",
      "solver reference",
      "stride",
    ];
    expect(recorder.take().cells).toEqual(features.map((feature) => `convNd|2D float32 channels-first|${feature}`));
    expect(recorder.take().cells).toEqual([]);
  });

  test("a transposed one by its own name, in its layouts and dtype", async () => {
    const recorder = await make();
    const { engine } = recorder;
    using x = engine.tensor(zeros(10), [1, 5, 2], { dtype: "float16" });
    using w = engine.tensor(zeros(6), [3, 1, 2], { dtype: "float16" });
    using y = engine.convTranspose1d(x, w, {
      stride: 2,
      outputSize: [12],
      layout: "channels-last",
      weightLayout: "WOI",
    });
    await y.data();
    const features = ["any", "output size", "solver of the engine's choice", "stride", "weight layout HWOI"];
    const cells = features.map((feature) => `convTransposeNd|1D float16 channels-last|${feature}`);
    expect(recorder.take().cells).toEqual(cells);
  });

  test("all gradients at once as each of those that are read", async () => {
    const recorder = await make();
    const { engine } = recorder;
    using x = engine.tensor(zeros(9), [1, 1, 3, 3]);
    using w = engine.tensor(zeros(4), [1, 1, 2, 2]);
    using dy = engine.tensor(zeros(4), [1, 1, 2, 2]);
    const gradients = engine.conv2dBackward(dy, x, w, { padding: "valid" });
    await Promise.all([gradients.weight.data(), gradients.bias.data()]);
    for (const tensor of Object.values(gradients) as readonly { dispose(): void }[]) tensor.dispose();
    const { cells } = recorder.take();
    expect(cells).toContain('convNdWeightGradient|2D float32 channels-first|padding "valid"');
    expect(cells).toContain("convNdBiasGradient|2D float32 channels-first|any");
    expect(cells.filter((cell) => cell.startsWith("convNdInputGradient"))).toEqual([]);
  });
});

describe("the document", () => {
  const first: DeviceCoverage = {
    device: "Node (Dawn) on lavapipe, float16 in the shader",
    tests: 12,
    complete: true,
    cells: [
      "convNd|1D float16 channels-last|any",
      "convNd|2D float32 channels-first|any",
      "convNd|2D float32 channels-first|stride",
    ],
  };
  const second: DeviceCoverage = {
    device: "Deno (wgpu) on SwiftShader, float16 as packed pairs",
    tests: 3,
    complete: true,
    cells: ["convNd|2D float32 channels-first|any", "convTransposeNd|3D float32 channels-first|output size"],
  };

  test("gives back what was written, formatted or not", async () => {
    const written = formatCoverage([first, second]);
    for (const text of [written, await format(written, { parser: "markdown", printWidth: 120 })]) {
      const parsed = parseCoverage(text);
      for (const { device, cells } of [first, second]) expect([...(parsed.get(device) ?? [])].sort()).toEqual(cells);
      expect(parsed.size).toBe(2);
    }
  });

  test("shows what a device no longer covers, and nothing of a device that it does not list", () => {
    const text = formatCoverage([first, second]);
    expect(lostCells(text, first)).toEqual([]);
    expect(lostCells(text, { ...first, cells: first.cells.slice(1) })).toEqual([first.cells[0]]);
    expect(lostCells(text, { ...first, cells: [...first.cells, "convNd|3D float32 channels-first|any"] })).toEqual([]);
    expect(lostCells(text, { ...first, device: "Node (Dawn) on a GPU", cells: [] })).toEqual([]);
  });

  test("counts what another platform covers on the same driver, with which a device takes turns", () => {
    const [some, others] = [first.cells.slice(0, 1), first.cells.slice(1)];
    const chromium = { ...first, device: first.device.replace("Node", "Chromium"), cells: others };
    const text = formatCoverage([first, second]);
    const node = { ...first, cells: some };
    expect(lostCells(text, node, [node, chromium])).toEqual([]);
    expect(lostCells(text, node, [node, { ...chromium, device: "Chromium (Dawn) on SwiftShader" }])).toEqual(others);
  });
});
