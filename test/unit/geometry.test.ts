/** The arithmetic of layers, against figures from textbooks: CS231n's notes, AlexNet, dilated stacks. */
import { describe, expect, test } from "vitest";
import {
  ArgumentError,
  dilatedExtent,
  layerBytes,
  multiplyAdds,
  outputSize,
  parameterCount,
  product,
  receptiveField,
  samePadding,
  unsharedParameterCount,
} from "webgpu-conv";

describe("outputSize", () => {
  test.each([
    ["CS231n: a 7x7 input and a 3x3 filter", 7, { kernel: 3 }, 5],
    ["CS231n: the same at stride 2", 7, { kernel: 3, stride: 2 }, 3],
    ["CS231n: a 5-wide input, filter 3, stride 1, pad 1", 5, { kernel: 3, padding: 1 }, 5],
    ["CS231n: the same at stride 2", 5, { kernel: 3, stride: 2, padding: 1 }, 3],
    ["CS231n: 32x32 input, 5x5 filters, stride 1, pad 2", 32, { kernel: 5, padding: 2 }, 32],
    ["AlexNet's first layer: 227, 11x11, stride 4, no padding", 227, { kernel: 11, stride: 4 }, 55],
    ["ResNet's first layer: 224, 7x7, stride 2, pad 3", 224, { kernel: 7, stride: 2, padding: 3 }, 112],
    ["a 3x3 filter at dilation 12 with pad 12", 65, { kernel: 3, dilation: 12, padding: 12 }, 65],
    ["padding on one side only", 6, { kernel: 3, stride: 2, padding: [0, 1] as const }, 3],
    ["a cropped input", 10, { kernel: 3, padding: [-2, -1] as const }, 5],
    ["a filter as large as the input", 5, { kernel: 5 }, 1],
  ])("%s", (_, input, axis, expected) => expect(outputSize(input, axis)).toBe(expected));

  test("floors where the stride does not divide: CS231n's 10-wide input, filter 3, stride 2", () => {
    expect(outputSize(10, { kernel: 3, stride: 2 })).toBe(4);
    expect((10 - 3) / 2 + 1).toBe(4.5);
  });

  test("is below 1 where the filter does not fit", () => {
    expect(outputSize(2, { kernel: 3 })).toBe(0);
    expect(outputSize(2, { kernel: 5, stride: 2 })).toBe(-1);
  });

  test.each([
    [0, { kernel: 3 }, "input is 0; expected an integer of at least 1"],
    [1.5, { kernel: 3 }, "input is 1.5; expected an integer of at least 1"],
    [5, { kernel: 0 }, "kernel is 0; expected an integer of at least 1"],
    [5, { kernel: NaN }, "kernel is NaN; expected an integer of at least 1"],
    [5, { kernel: 3, stride: 0 }, "stride is 0; expected an integer of at least 1"],
    [5, { kernel: 3, stride: 0.5 }, "stride is 0.5; expected an integer of at least 1"],
    [5, { kernel: 3, dilation: 0 }, "dilation is 0; expected an integer of at least 1"],
    [5, { kernel: 3, padding: 0.5 }, "padding is 0.5; expected an integer of at least -5"],
    [5, { kernel: 3, padding: [0, -6] as const }, "padding is -6; expected an integer of at least -5"],
    [5, { kernel: 3, padding: Infinity }, "padding is Infinity; expected an integer of at least -5"],
  ])("of %s with %o throws: %s", (input, axis, message) => {
    expect(() => outputSize(input, axis)).toThrow(new ArgumentError(message));
  });
});

describe("padding that keeps the size", () => {
  test.each([
    [1, 1, 0],
    [3, 1, 1],
    [5, 1, 2],
    [7, 1, 3],
    [3, 2, 2],
    [3, 12, 12],
    [5, 3, 6],
  ])("filter %i at dilation %i takes %i", (kernel, dilation, padding) => {
    expect(samePadding(kernel, dilation)).toBe(padding);
    expect(outputSize(40, { kernel, dilation, padding })).toBe(40);
  });

  test("an even filter has none that is whole", () => expect(samePadding(4)).toBe(1.5));
});

describe("parameters", () => {
  const alexNet = { inChannels: 3, outChannels: 96, kernel: [11, 11] };

  test("AlexNet's first layer shares 34,944 parameters", () => {
    expect(parameterCount(alexNet)).toEqual({ weightsPerFilter: 363, weights: 34_848, biases: 96, total: 34_944 });
  });

  test("and would have 105,705,600 without sharing: 290,400 neurons of 363 weights and a bias", () => {
    expect(product([55, 55, 96])).toBe(290_400);
    const { weights, biases, total } = unsharedParameterCount(alexNet, [55, 55]);
    expect({ weights, biases, total }).toEqual({ weights: 105_415_200, biases: 290_400, total: 105_705_600 });
  });

  test("three 3x3 layers of C channels have 27 C^2 weights, one 7x7 layer 49 C^2", () => {
    const channels = { inChannels: 10, outChannels: 10, bias: false };
    expect(3 * parameterCount({ ...channels, kernel: [3, 3] }).total).toBe(27 * 10 ** 2);
    expect(parameterCount({ ...channels, kernel: [7, 7] }).total).toBe(49 * 10 ** 2);
  });

  test("CS231n's 10 filters of 5x5x3 have 760 parameters", () => {
    expect(parameterCount({ inChannels: 3, outChannels: 10, kernel: [5, 5] }).total).toBe(760);
  });

  test("groups divide the weights: depthwise 3x3 over 32 channels has 288", () => {
    const depthwise = { inChannels: 32, outChannels: 32, kernel: [3, 3], groups: 32 };
    expect(parameterCount(depthwise)).toEqual({ weightsPerFilter: 9, weights: 288, biases: 32, total: 320 });
  });

  test.each([
    [{ inChannels: 6, outChannels: 4, kernel: [3], groups: 4 }, "groups 4 must divide inChannels 6 and outChannels 4"],
    [{ inChannels: 0, outChannels: 4, kernel: [3] }, "inChannels is 0; expected an integer of at least 1"],
    [{ inChannels: 1, outChannels: 1.5, kernel: [3] }, "outChannels is 1.5; expected an integer of at least 1"],
    [{ inChannels: 1, outChannels: 1, kernel: [3, 0] }, "kernel[1] is 0; expected an integer of at least 1"],
    [{ inChannels: 1, outChannels: 1, kernel: [3], groups: -1 }, "groups is -1; expected an integer of at least 1"],
  ])("%o throws: %s", (layer, message) => {
    expect(() => parameterCount(layer)).toThrow(new ArgumentError(message));
  });
});

describe("work and memory", () => {
  const firstOfVgg = { inChannels: 3, outChannels: 64, kernel: [3, 3] };

  test("VGG's first layer makes 86,704,128 multiply-adds an image", () => {
    expect(multiplyAdds(firstOfVgg, [224, 224])).toBe(86_704_128);
    expect(multiplyAdds(firstOfVgg, [224, 224], 8)).toBe(8 * 86_704_128);
    expect(() => multiplyAdds(firstOfVgg, [224, 224], 0)).toThrow("batch is 0; expected an integer of at least 1");
  });

  test("VGG's first layer holds 150,528 inputs, 3,211,264 outputs and 1,792 parameters", () => {
    expect(layerBytes(firstOfVgg, [224, 224], [224, 224])).toBe(4 * (150_528 + 3_211_264 + 1792));
    expect(layerBytes(firstOfVgg, [224, 224], [224, 224], 2, 2)).toBe(2 * (2 * (150_528 + 3_211_264) + 1792));
  });

  test("the product of no numbers is 1", () => expect(product([])).toBe(1));
});

describe("receptive field", () => {
  const stack = (...layers: { kernel: number; stride?: number; dilation?: number }[]) => receptiveField(layers);

  test("of nothing is one element", () => expect(stack()).toEqual({ size: 1, jump: 1 }));

  test("three 3x3 layers see 7, as one 7x7 does", () => {
    expect(stack({ kernel: 3 }, { kernel: 3 }).size).toBe(5);
    expect(stack({ kernel: 3 }, { kernel: 3 }, { kernel: 3 })).toEqual(stack({ kernel: 7 }));
  });

  test("dilations 1, 2, 4 of 3x3 layers see 3, 7, 15 (Yu and Koltun, 2016)", () => {
    const dilated = [1, 2, 4].map((dilation) => ({ kernel: 3, dilation }));
    expect([1, 2, 3].map((depth) => receptiveField(dilated.slice(0, depth)).size)).toEqual([3, 7, 15]);
  });

  test("a stride widens what follows: 7x7 stride 2, then 3x3 stride 2, then 3x3", () => {
    expect(stack({ kernel: 7, stride: 2 }, { kernel: 3, stride: 2 }, { kernel: 3 })).toEqual({ size: 19, jump: 4 });
  });

  test("a filter spans D * (F - 1) + 1", () => {
    expect([dilatedExtent(3), dilatedExtent(3, 12), dilatedExtent(1, 7)]).toEqual([3, 25, 1]);
  });

  test("stride 0 throws", () => {
    expect(() => stack({ kernel: 3, stride: 0 })).toThrow("stride is 0; expected an integer of at least 1");
  });
});
