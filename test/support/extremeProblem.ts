/** Small tensors under hyperparameters from everyday ones up to the largest that a caller may give. */
import type { ConvOptions, PaddingMode } from "webgpu-conv";
import { dilatedExtent, outputSize } from "webgpu-conv";
import type { Random } from "./data.js";
import type { RandomProblem } from "./randomProblem.js";

export const LARGEST = 2 ** 31 - 1;
const STEPS = [1, 2, 3, 5, 8, 1000, 3000, 1e6, 2 ** 30, LARGEST];
const MOST_OUTPUTS = 10;

interface Axis {
  readonly input: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: readonly [number, number];
}

const outputsOf = ({ input, ...axis }: Axis): number => outputSize(input, axis);

/** Padding that lets some tap of some output read the input, or nearly; of any size where it may fall as it will. */
function randomPadding(random: Random, mode: PaddingMode, axis: Omit<Axis, "padding">): readonly [number, number] {
  const { input, kernel, stride, dilation } = axis;
  if (mode !== "zeros" && mode !== "replicate") {
    const most = mode === "reflect" ? input - 1 : input;
    return [random.integer(-1, most), random.integer(-1, most)];
  }
  const read = random.integer(0, 3) * stride + random.integer(0, kernel - 1) * dilation;
  const begin = random.pick([read - random.integer(-2, input), read - random.integer(-2, input), random.pick(STEPS)]);
  const end = random.pick([random.pick(STEPS), dilatedExtent(kernel, dilation), stride, 0]);
  return [begin, end];
}

/** An axis of few outputs that a caller may ask for: what is not is drawn again. */
function randomAxis(random: Random, mode: PaddingMode): Axis {
  for (;;) {
    const drawn = {
      input: random.integer(2, 9),
      kernel: random.pick([1, 1, 2, 3]),
      stride: random.pick(STEPS),
      dilation: random.pick(STEPS),
    };
    const axis: Axis = { ...drawn, padding: randomPadding(random, mode, drawn) };
    const valid = axis.padding.every((pad) => pad >= -axis.input && pad <= LARGEST);
    if (!valid) continue;
    const outputs = outputsOf(axis);
    if (outputs >= 1 && outputs <= MOST_OUTPUTS) return axis;
  }
}

/** The problem that the generator's state leads to. */
export function extremeProblem(random: Random): RandomProblem {
  const paddingMode = random.pick(["zeros", "zeros", "zeros", "replicate", "reflect", "circular"] as const);
  const [height, width] = [randomAxis(random, paddingMode), randomAxis(random, paddingMode)];
  const groups = random.pick([1, 1, 2, 5]);
  const [inPerGroup, outPerGroup] = [random.pick([1, 2, 5]), random.pick([1, 3, 9])];
  const options: ConvOptions = {
    groups,
    paddingMode,
    stride: [height.stride, width.stride],
    dilation: [height.dilation, width.dilation],
    padding: [height.padding, width.padding],
  };
  return {
    input: [random.integer(1, 2), groups * inPerGroup, height.input, width.input],
    weight: [groups * outPerGroup, inPerGroup, height.kernel, width.kernel],
    options,
  };
}
