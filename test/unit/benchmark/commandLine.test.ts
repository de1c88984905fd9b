import { expect, test } from "vitest";
import { makeFilter, parseArguments } from "../../../examples/benchmark/commandLine.js";
import { layerName, LAYERS } from "../../../examples/benchmark/layers.js";
import { chooseTasks } from "../../../examples/benchmark/run.js";

test("options have the documented names", () => {
  expect(parseArguments([])).toEqual({ quick: false, tune: false, deviceCheck: false });
  expect(parseArguments(["--quick", "--filter", "VGG", "--json", "out.json", "--device-check"])).toEqual({
    quick: true,
    tune: false,
    deviceCheck: true,
    filter: "VGG",
    json: "out.json",
  });
  expect(parseArguments(["--tune"]).tune).toBe(true);
});

test("without a filter every layer runs in every pass", () => {
  const tasks = chooseTasks(LAYERS, makeFilter(undefined));
  expect(tasks.map(({ layer }) => layer)).toEqual(LAYERS);
  for (const { passes } of tasks) expect(passes).toEqual(["forward", "inputGradient", "weightGradient"]);
});

test("a filter chooses layers by text, in either case", () => {
  const tasks = chooseTasks(LAYERS, makeFilter("vgg"));
  expect(tasks.length).toBeGreaterThan(0);
  for (const { layer, passes } of tasks) {
    expect(layer.origin).toMatch(/^VGG-16/);
    expect(passes).toHaveLength(3);
  }
});

test("a filter chooses passes", () => {
  const tasks = chooseTasks(LAYERS, makeFilter("weightGradient"));
  expect(tasks).toHaveLength(LAYERS.length);
  for (const { passes } of tasks) expect(passes).toEqual(["weightGradient"]);
});

test("a filter may be a regular expression over layer and pass", () => {
  const tasks = chooseTasks(LAYERS, makeFilter("^ResNet-50.* 3x3 .*forward$"));
  expect(tasks.length).toBeGreaterThan(0);
  for (const { layer, passes } of tasks) {
    expect(layer.kernel).toBe(3);
    expect(passes).toEqual(["forward"]);
  }
});

test("every layer's own name finds it, whatever characters it has", () => {
  for (const layer of LAYERS) {
    const found = chooseTasks(LAYERS, makeFilter(layerName(layer))).map((task) => task.layer);
    expect(found).toContain(layer);
  }
});

test("text that is no regular expression is still text", () => {
  expect(makeFilter("conv2 (2012")("AlexNet conv2 (2012) 5x5")).toBe(true);
  expect(makeFilter("(")("VGG-16")).toBe(false);
});

test("a filter that matches nothing leaves nothing to run", () => {
  expect(chooseTasks(LAYERS, makeFilter("no such layer"))).toEqual([]);
});
