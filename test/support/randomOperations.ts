/** Random operations for planning: any size at all, since nothing is run. */
import { makeProblem } from "webgpu-conv/reference";
import { readActivation } from "../../src/problem/activation.js";
import { plainOperation } from "../../src/calls/calls.js";
import type { ConvOperation } from "../../src/problem/operation.js";
import type { Random } from "./data.js";

/** Small sizes often, large ones sometimes: uniform in the exponent. */
function extent(random: Random, most: number): number {
  return Math.max(1, Math.round(most ** random.next()));
}

/** A valid operation in any direction, rank 1 to 3, with tensors of at most about 2^28 elements. */
export function randomOperation(random: Random): ConvOperation {
  const rank = random.pick([1, 2, 2, 2, 3] as const);
  const groups = random.pick([1, 1, 1, 2, 3, 32]);
  const axes = Array.from({ length: rank }, () => {
    const kernel = random.pick([1, 1, 2, 3, 3, 5, 7]);
    const dilation = random.pick([1, 1, 1, 2, 5]);
    const stride = random.pick([1, 1, 2, 3]);
    const padding = [random.integer(-1, 3), random.integer(-1, 3)] as const;
    const input = dilation * (kernel - 1) + 1 + 2 + extent(random, rank === 1 ? 2 ** 20 : rank === 2 ? 700 : 60);
    return { kernel, dilation, stride, padding, input };
  });
  const perGroup = [extent(random, 96), extent(random, 96)];
  const problem = makeProblem(
    rank,
    [extent(random, 16), groups * perGroup[0], ...axes.map(({ input }) => input)],
    [groups * perGroup[1], perGroup[0], ...axes.map(({ kernel }) => kernel)],
    {
      groups,
      stride: axes.map(({ stride }) => stride),
      dilation: axes.map(({ dilation }) => dilation),
      padding: axes.map(({ padding }) => padding),
    },
  );
  const direction = random.pick(["forward", "inputGradient", "weightGradient", "biasGradient"] as const);
  const activation = readActivation(direction === "forward" ? random.pick(["none", "relu", "gelu"]) : "none");
  const mayHaveBias = direction === "forward" || direction === "weightGradient";
  return {
    ...plainOperation(direction, problem, { dtype: random.pick(["float32", "float16"]) }),
    activation,
    masked: direction !== "forward" && random.pick([true, false]),
    residual: direction === "forward" && random.pick([true, false]),
    bias: mayHaveBias && random.pick([true, false]),
  };
}
