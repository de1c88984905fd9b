import { describe, expect, test } from "vitest";
import { type Layer, layerName, LAYERS } from "../../../examples/benchmark/layers.js";
import { scaledProblem } from "../../../examples/benchmark/scaling.js";

const fullSize = (layer: Layer) => scaledProblem(layer, { batch: layer.batch, extent: layer.extent });
const from = (origin: string): Layer[] => LAYERS.filter((layer) => layer.origin.startsWith(origin));
const millionMultiplyAdds = (layer: Layer): number => fullSize(layer).multiplyAdds / 1e6;

test("every layer is a valid problem with a name of its own", () => {
  for (const layer of LAYERS) expect(fullSize(layer).multiplyAdds).toBeGreaterThan(0);
  expect(new Set(LAYERS.map(layerName)).size).toBe(LAYERS.length);
});

test("names say what is unusual about a layer", () => {
  const names = LAYERS.map(layerName);
  expect(names).toContain("ResNet-50 stem 7x7/2 3->64 224x224");
  expect(names).toContain("ResNet-50 conv2_x 3x3 64->64 56x56");
  expect(names).toContain("Atrous pyramid 3x3 256->64 33x33 dilation 12");
  expect(names).toContain("ResNeXt-50 32x4d 3x3 128->128 56x56 groups 32");
  expect(names).toContain("LeNet-5 conv1 5x5 1->6 28x28 batch 32");
});

describe("ResNet-50", () => {
  /** How often each distinct shape occurs: by stage, blocks without the first have reduce, 3x3 and expand. */
  const OCCURRENCES = [1, 1, 3, 4, 2, 1, 1, 4, 1, 3, 3, 1, 1, 6, 1, 5, 5, 1, 1, 3, 1, 2, 2];

  test("has each of its 23 distinct shapes", () => {
    expect(from("ResNet-50")).toHaveLength(OCCURRENCES.length);
  });

  test("adds up to its 53 convolutions and 4.09 billion multiply-adds", () => {
    const layers = from("ResNet-50");
    const total = layers.reduce((sum, layer, i) => sum + OCCURRENCES[i] * millionMultiplyAdds(layer), 0);
    expect(OCCURRENCES.reduce((sum, count) => sum + count, 0)).toBe(53);
    // 4.089 billion with the classifier's 2.048 million, as torchvision's model counts.
    expect(total + 2.048).toBeCloseTo(4089, 0);
  });
});

test("VGG-16's distinct 3x3s add up to its 15.35 billion multiply-adds in convolutions", () => {
  const occurrences = [1, 1, 1, 1, 1, 2, 1, 2, 3];
  const layers = from("VGG-16");
  expect(layers).toHaveLength(occurrences.length);
  const total = layers.reduce((sum, layer, i) => sum + occurrences[i] * millionMultiplyAdds(layer), 0);
  expect(total).toBeCloseTo(15_346.6, 0);
});

test("the other networks are there, with the kinds of layer they stand for", () => {
  expect(from("AlexNet").every(({ kernel }) => kernel === 5)).toBe(true);
  expect(from("NiN").every(({ kernel }) => kernel === 1)).toBe(true);
  const depthwise = from("MobileNetV2");
  expect(depthwise.every(({ options, inChannels }) => options.groups === inChannels)).toBe(true);
  expect(new Set(depthwise.map(({ options }) => options.stride))).toEqual(new Set([1, 2]));
  expect(from("ResNeXt").every(({ options }) => options.groups === 32)).toBe(true);
  expect(from("Atrous").map(({ options }) => options.dilation)).toEqual([12]);
  expect(from("LeNet").map((layer) => fullSize(layer).outputShape)).toEqual([[32, 6, 28, 28]]);
});

test("the textbook layer gives 4x4x2 at stride 2 and 7x7x2 at stride 1", () => {
  const shapes = from("Textbook").map((layer) => [layer.options.stride, fullSize(layer).outputShape]);
  expect(shapes).toEqual([
    [2, [1, 2, 4, 4]],
    [1, [1, 2, 7, 7]],
  ]);
});

test("the short run has few layers, and each kind of them", () => {
  const quick = LAYERS.filter((layer) => layer.quick);
  expect(quick.length).toBeLessThanOrEqual(12);
  const kinds = {
    pointwise: ({ kernel }: Layer) => kernel === 1,
    dense3x3: ({ kernel, options }: Layer) => kernel === 3 && options.groups === 1 && options.dilation === 1,
    largeFilter: ({ kernel }: Layer) => kernel >= 5,
    strided: ({ options }: Layer) => options.stride === 2,
    depthwise: ({ options, inChannels }: Layer) => options.groups === inChannels,
    grouped: ({ options, inChannels }: Layer) => options.groups > 1 && options.groups < inChannels,
    dilated: ({ options }: Layer) => options.dilation > 1,
    batch: ({ batch }: Layer) => batch > 1,
  };
  for (const [kind, matches] of Object.entries(kinds)) {
    expect(quick.filter(matches).length, kind).toBeGreaterThanOrEqual(1);
  }
});
