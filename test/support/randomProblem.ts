/** Random convolution problems, small enough for a software device. */
import type { ConvOptions } from "webgpu-conv";
import { dilatedExtent } from "webgpu-conv";
import type { Random } from "./data.js";

export interface RandomProblem {
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly options: ConvOptions;
}

interface Axis {
  readonly input: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: readonly [number, number];
}

/** An axis whose output is not empty: where the filter does not fit, padding at the end makes it. */
function randomAxis(random: Random): Axis {
  const kernel = random.pick([1, 1, 2, 3, 3, 3, 4, 5, 7]);
  const stride = random.pick([1, 1, 1, 2, 2, 3, 5]);
  const dilation = random.pick([1, 1, 1, 2, 3]);
  const input = random.integer(1, 20);
  const begin = Math.max(-input + 1, random.integer(-2, 4));
  const end = Math.max(-input + 1, random.integer(-2, 4));
  const missing = dilatedExtent(kernel, dilation) - (input + begin + end);
  return { input, kernel, stride, dilation, padding: [begin, end + Math.max(0, missing)] };
}

/** The problem that the generator's state leads to. */
export function randomProblem(random: Random): RandomProblem {
  const [height, width] = [randomAxis(random), randomAxis(random)];
  const groups = random.pick([1, 1, 1, 2, 3, 8]);
  const inPerGroup = random.pick([1, 1, 2, 3, 4, 7, 16]);
  const outPerGroup = random.pick([1, 1, 2, 3, 4, 9, 17]);
  return {
    input: [random.integer(1, 3), groups * inPerGroup, height.input, width.input],
    weight: [groups * outPerGroup, inPerGroup, height.kernel, width.kernel],
    options: {
      groups,
      stride: [height.stride, width.stride],
      dilation: [height.dilation, width.dilation],
      padding: [height.padding, width.padding],
    },
  };
}

/** The problem in one line. */
export const describeProblem = ({ input, weight, options }: RandomProblem): string =>
  `x [${input.join(",")}] w [${weight.join(",")}] ${JSON.stringify(options)}`;
