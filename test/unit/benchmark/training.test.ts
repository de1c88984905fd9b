/** The comparison of training with the peers: networks, agreement with float64, and what is told of it. */
import { createEngine } from "webgpu-conv";
import { disposeModule, parametersOf as parametersOfModule, Random } from "webgpu-conv/nn";
import { describe, expect, test } from "vitest";
import { mergeReports, type PeerReport } from "../../../examples/benchmark/peers/row.js";
import { agrees, differenceOf, type Outcome } from "../../../examples/benchmark/peers/training/agreement.js";
import { type Network, NETWORKS } from "../../../examples/benchmark/peers/training/networks.js";
import { emptyRow, type TrainingReport, type TrainingRow } from "../../../examples/benchmark/peers/training/row.js";
import { parametersOf, startOf } from "../../../examples/benchmark/peers/training/start.js";
import { compareNetwork, formatTraining } from "../../../examples/benchmark/peers/training/table.js";
import { glyphNetwork } from "../../../examples/train/network.js";

const named = (start: string): Network => {
  const found = NETWORKS.find(({ name }) => name.startsWith(start));
  if (!found) throw new Error(`there is no network ${start}`);
  return found;
};

const weightsOf = ({ layers }: Network): number =>
  parametersOf(layers).reduce((sum, { shape }) => sum + shape.reduce((size, extent) => size * extent, 1), 0);

describe("networks", () => {
  test("ResNet-18 has the weights of torchvision's", () => {
    expect(weightsOf(named("ResNet-18"))).toBe(11_689_512);
  });

  test("Network in Network has its layers' weights, filter by filter", () => {
    const layers = [5 * 5 * 3 * 192, 192 * 160, 160 * 96, 5 * 5 * 96 * 192, 192 * 192, 192 * 192, 3 * 3 * 192 * 192];
    const weights = [...layers, 192 * 192, 192 * 10].reduce((sum, count) => sum + count, 0);
    const biases = 192 + 160 + 96 + 5 * 192 + 10;
    expect(weightsOf(named("Network in Network"))).toBe(weights + biases);
  });

  test("esrgan-slim has the weights of the file that examples/finetune installs", () => {
    expect(weightsOf(named("esrgan-slim"))).toBe(233_451);
  });

  test("the glyph network is that of examples/train", async () => {
    const engine = await createEngine({ backend: "cpu" });
    const network = await glyphNetwork({ engine, random: new Random(1) });
    const expected = Object.entries(parametersOfModule(network)).map(([name, { shape }]) => ({
      name,
      shape: [...shape],
    }));
    const actual = parametersOf(named("glyph").layers).map(({ name, shape }) => ({ name, shape: [...shape] }));
    expect(actual).toEqual(expected);
    disposeModule(network);
    engine.dispose();
  });

  test("begin with the same values each time", () => {
    const [start, again] = [startOf(named("glyph")), startOf(named("glyph"))];
    expect(again).toEqual(start);
    expect(Math.max(...start.target)).toBeLessThan(10);
  });

  test.each(NETWORKS)("$name compares parameters that it has, each of a name of its own", (network) => {
    const names = parametersOf(network.layers).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of network.compared) expect(names).toContain(name);
  });
});

describe("agreement with float64", () => {
  const before = (): number[] => [1, -1];
  const expected: Outcome = { losses: [2, 1], changes: { w: [0.01, 0.02] } };
  const verdict = (actual: Outcome): boolean => agrees(differenceOf(actual, expected, before));

  test("is there for equal values and for those that storing rounds", () => {
    expect(differenceOf(expected, expected, before)).toEqual({ loss: 0, unexplained: 0, change: 0 });
    const changes = { w: [Math.fround(1.01) - 1, Math.fround(-0.98) + 1] };
    expect(differenceOf({ ...expected, changes }, expected, before).change).toBe(0);
  });

  test("is there where a relu's value has turned, and the next loss with it", () => {
    const turned = { losses: [2, 1.0005], changes: { w: [0.01, 0.0205] } };
    expect(verdict(turned)).toBe(true);
    expect(verdict({ ...turned, losses: [2.0005, 1] })).toBe(false);
    expect(verdict({ ...turned, losses: [2, 1.002] })).toBe(false);
  });

  test.each<[string, Outcome]>([
    ["a loss that is NaN", { ...expected, losses: [2, NaN] }],
    ["a loss that is missing", { ...expected, losses: [2] }],
    ["a loss that is off by 0.1 %", { ...expected, losses: [2, 1.001] }],
    ["a change that is NaN", { ...expected, changes: { w: [0.01, NaN] } }],
    ["a parameter that is missing", { ...expected, changes: {} }],
    ["a parameter of another size", { ...expected, changes: { w: [0.01] } }],
    ["a factor of 1.1 in the rate", { ...expected, changes: { w: [0.011, 0.022] } }],
  ])("is not there with %s", (_, actual) => {
    expect(verdict(actual)).toBe(false);
  });
});

const row = (engine: string, more: Partial<TrainingRow>): TrainingRow => {
  const numbers = { firstMs: 100, peakBytes: 2 ** 21, dispatches: 50, lossDifference: 1e-7, changeDifference: 1e-6 };
  return { network: "net", engine, ms: 10, ...numbers, kernels: {}, losses: [1, 1], verdict: "pass", ...more };
};

describe("what is told", () => {
  const own = row("webgpu-conv", { host: { dispatches: 50, recordMs: 0.02, encodeMs: 0.1, submitMs: 1 } });
  const tfjs = row("tfjs-webgpu", { ms: 40, dispatches: 200 });
  const jax = row("jax-js", { ms: 25, peakBytes: 2 ** 22 });

  test("the fastest of the others is compared with", () => {
    expect(compareNetwork([own, tfjs, jax])).toBe(
      "2.50 times as fast as jax-js, with 0.50 times its peak memory; 25 % of tfjs' dispatches; " +
        "0.40 microseconds of the host's time to record a dispatch, 2.00 to encode it",
    );
  });

  test("wrong results have no speed", () => {
    const wrong = row("jax-js", { ms: 1, verdict: "fail", changeDifference: null });
    expect(compareNetwork([own, tfjs, wrong])).toMatch(/^4.00 times as fast as tfjs-webgpu/);
    expect(compareNetwork([{ ...own, verdict: "fail" }, tfjs, jax])).toBeUndefined();
    expect(compareNetwork([own, wrong])).toBeUndefined();
  });

  test("the table has each engine, and reasons where one could not", () => {
    const rows = [own, emptyRow("net", "tfjs-webgpu", "no such\n operation"), row("jax-js", { verdict: "fail" })];
    const text = formatTraining({ rows } as unknown as TrainingReport);
    expect(text).toContain("| net | webgpu-conv | 10.0 | 100 | 2.0 | 50 | 1.0e-7 | 1.0e-6 |");
    expect(text).toContain("| net | tfjs-webgpu | cannot |");
    expect(text).toContain("| net | jax-js | wrong |");
    expect(text).toContain("- tfjs-webgpu, net: no such operation");
    expect(text).toContain("- jax-js, net: the results are not those of float64");
  });

  test("what a run leaves out stays as it was", () => {
    const [older, newer] = [{ date: "2026-01-01" }, { date: "2026-02-02" }] as unknown as [PeerReport, PeerReport];
    const training = { rows: [own] } as unknown as TrainingReport;
    expect(mergeReports(undefined, { layers: undefined, training, networks: undefined })).toBeUndefined();
    expect(mergeReports(older, { layers: undefined, training, networks: undefined })).toEqual({ ...older, training });
    expect(mergeReports({ ...older, training }, { layers: newer, training: undefined, networks: undefined })).toEqual({
      ...newer,
      training,
    });
    expect(mergeReports(undefined, { layers: newer, training: undefined, networks: undefined })).toEqual(newer);
  });
});
