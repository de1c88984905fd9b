/** "same": the output is ceil(W / S) whatever the filter, also for stride > 1, and the padding is the least that does it. */
import { describe, expect, test } from "vitest";
import { ArgumentError, outputSize, sameTotalPadding } from "webgpu-conv";

describe("the padding", () => {
  test.each([
    ["TensorFlow's example: 13 wide, filter 6, stride 5", 13, { kernel: 6, stride: 5 }, [1, 2], [2, 1]],
    ["an even total is halved", 5, { kernel: 3, stride: 2 }, [1, 1], [1, 1]],
    ["an odd total puts the extra zero at the end, or at the beginning", 6, { kernel: 3, stride: 2 }, [0, 1], [1, 0]],
    ["ResNet's first layer needs one zero more at the end", 224, { kernel: 7, stride: 2 }, [2, 3], [3, 2]],
    ["an even filter at stride 1", 8, { kernel: 4 }, [1, 2], [2, 1]],
    ["a dilated filter", 10, { kernel: 3, dilation: 4 }, [4, 4], [4, 4]],
    ["a stride that skips past the filter needs none", 9, { kernel: 1, stride: 4 }, [0, 0], [0, 0]],
    ["a stride past the filter that needs one to reach the last input", 7, { kernel: 2, stride: 3 }, [0, 1], [1, 0]],
  ])("%s", (_, input, axis, upper, lower) => {
    expect(sameTotalPadding(input, axis)).toEqual(upper);
    expect(sameTotalPadding(input, axis, true)).toEqual(lower);
  });
});

test("gives ceil(W / S) with the least padding that does, over every small axis", () => {
  for (let input = 1; input <= 17; input++) {
    for (let kernel = 1; kernel <= 6; kernel++) {
      for (let stride = 1; stride <= 5; stride++) {
        for (let dilation = 1; dilation <= 3; dilation++) {
          const axis = { kernel, stride, dilation };
          const label = JSON.stringify({ input, ...axis });
          const [begin, end] = sameTotalPadding(input, axis);
          const wanted = Math.ceil(input / stride);
          expect(outputSize(input, { ...axis, padding: [begin, end] }), label).toBe(wanted);
          expect([0, 1], label).toContain(end - begin);
          expect(sameTotalPadding(input, axis, true), label).toEqual([end, begin]);
          if (end > 0) expect(outputSize(input, { ...axis, padding: [begin, end - 1] }), label).toBeLessThan(wanted);
        }
      }
    }
  }
});

test.each([
  [0, { kernel: 3 }, "input is 0; expected an integer of at least 1"],
  [5, { kernel: 3, stride: 1.5 }, "stride is 1.5; expected an integer of at least 1"],
  [5, { kernel: -3 }, "kernel is -3; expected an integer of at least 1"],
])("%s with %o throws: %s", (input, axis, message) => {
  expect(() => sameTotalPadding(input, axis)).toThrow(new ArgumentError(message));
});
