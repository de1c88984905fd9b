/** Random stacks of layers, small enough for a software device. */
import type { DType, Engine, Layout, PaddingMode, Tensor, TiledLayer } from "webgpu-conv";
import { dilatedExtent } from "webgpu-conv";
import { type Random, reals } from "./data.js";

/** A layer as plain data: its weight's shape, and its options. */
export interface StackLayer {
  readonly weight: readonly number[];
  readonly bias: boolean;
  readonly options: Omit<TiledLayer, "weight" | "bias">;
}

export interface RandomStack {
  readonly rank: 1 | 2 | 3;
  /** Without N, in the stack's layout. */
  readonly input: readonly number[];
  readonly layout: Layout;
  readonly dtype: DType;
  readonly layers: readonly StackLayer[];
}

/** What a stack is drawn from. */
export interface StackSpace {
  readonly channels: readonly number[];
  readonly extents: Readonly<Record<1 | 2 | 3, readonly [least: number, most: number]>>;
}

const SMALL: StackSpace = { channels: [1, 1, 2, 3, 4, 6], extents: { 1: [9, 90], 2: [5, 26], 3: [3, 11] } };
const MODES: readonly PaddingMode[] = ["zeros", "zeros", "zeros", "reflect", "symmetric", "replicate", "circular"];
const ACTIVATIONS = ["none", "relu", "sigmoid", "tanh", { name: "leaky-relu", negativeSlope: 0.1 }] as const;

export function randomStack(random: Random, space: StackSpace = SMALL): RandomStack {
  const rank = random.pick([1, 2, 2, 2, 3] as const);
  const layout = random.pick(["channels-first", "channels-first", "channels-last"] as const);
  const dtype = random.pick(["float32", "float32", "float32", "float16"] as const);
  const [least, most] = space.extents[rank];
  const input = Array.from({ length: rank }, () => random.integer(least, most));
  let channels = random.pick(space.channels);
  const first = channels;
  let extents: readonly number[] = input;
  const layers: StackLayer[] = [];
  const count = random.integer(1, 4);
  while (layers.length < count) {
    const made = randomLayer(random, space, channels, extents);
    if (!made) continue;
    layers.push(made.layer);
    ({ channels, extents } = made);
  }
  const shape = layout === "channels-first" ? [first, ...input] : [...input, first];
  return { rank, input: shape, layout, dtype, layers };
}

/** A layer for such an input; undefined where what was drawn makes none. */
function randomLayer(random: Random, space: StackSpace, channels: number, extents: readonly number[]) {
  const transposed = random.integer(1, 6) === 1;
  const paddingMode = transposed ? "zeros" : random.pick(MODES);
  const kernel = extents.map(() => random.pick([1, 2, 3, 3, 3, 4, 5]));
  const shared = random.pick([3, 3, 1]);
  if (shared === 3 && extents.length === 2) kernel.fill(3);
  const stride = extents.map(() => random.pick(transposed ? [1, 2, 2, 3] : [1, 1, 1, 1, 2, 3]));
  const dilation = extents.map(() => random.pick([1, 1, 1, 2, 3]));
  const padding = extents.map(() => [random.integer(0, 3), random.integer(0, 3)] as [number, number]);
  if (paddingMode === "zeros" && random.integer(1, 6) === 1) padding[0][random.integer(0, 1)] = -1;
  const limit = paddingMode === "reflect" ? 1 : 0;
  if (paddingMode !== "zeros" && paddingMode !== "replicate") {
    for (const [axis, pads] of padding.entries())
      pads.forEach((pad, i) => (pads[i] = Math.min(pad, extents[axis] - limit)));
  }
  const spans = kernel.map((taps, axis) => dilatedExtent(taps, dilation[axis]));
  const results = extents.map((extent, axis) => {
    const [begin, end] = padding[axis];
    if (transposed) return (extent - 1) * stride[axis] + spans[axis] - begin - end;
    return Math.floor((extent + begin + end - spans[axis]) / stride[axis]) + 1;
  });
  const most = 4 * space.extents[extents.length as 1 | 2 | 3][1];
  if (results.some((extent) => extent < 1 || extent > most)) return undefined;
  const groups = random.pick([1, 1, 1, channels]);
  const out = groups * random.pick(groups > 1 ? [1, 1, 2] : space.channels);
  const weight = transposed ? [channels, out / groups, ...kernel] : [out, channels / groups, ...kernel];
  const activation = random.pick(ACTIVATIONS);
  const options = { stride, dilation, padding, groups, activation, ...(transposed ? { transposed } : { paddingMode }) };
  return { layer: { weight, bias: random.integer(0, 1) === 1, options }, channels: out, extents: results };
}

const productOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** A stack's values on an engine. */
export interface StackTensors {
  readonly input: Float32Array<ArrayBuffer>;
  readonly layers: readonly TiledLayer[];
}

export function uploadStack(engine: Engine, { input, dtype, layers }: RandomStack, random: Random): StackTensors {
  return {
    input: reals(random, productOf(input)),
    layers: layers.map(({ weight, bias, options }) => {
      const out = options.transposed === true ? weight[1] * (options.groups ?? 1) : weight[0];
      return {
        ...options,
        weight: engine.tensor(reals(random, productOf(weight)), weight, { dtype }),
        ...(bias && { bias: engine.tensor(reals(random, out), [out], { dtype }) }),
      };
    }),
  };
}

export function disposeStack({ layers }: StackTensors): void {
  for (const { weight, bias } of layers) {
    weight.dispose();
    bias?.dispose();
  }
}

/** The layers one after the other, as a caller would without tiles. */
export async function runWhole(
  engine: Engine,
  { rank, dtype, input: shape, layout }: RandomStack,
  { input, layers }: StackTensors,
): Promise<{ readonly shape: readonly number[]; readonly values: Float32Array }> {
  let x: Tensor = engine.tensor(input, shape, { dtype });
  for (const { weight, transposed, ...options } of layers) {
    const given = { ...options, layout };
    const methods = transposed === true ? TRANSPOSED : FORWARD;
    const y = engine[methods[rank]](x, weight, given);
    x.dispose();
    x = y;
  }
  const result = { shape: x.shape, values: await x.data() };
  x.dispose();
  return result;
}

const FORWARD = { 1: "conv1d", 2: "conv2d", 3: "conv3d" } as const;
const TRANSPOSED = { 1: "convTranspose1d", 2: "convTranspose2d", 3: "convTranspose3d" } as const;

/** A stack in one line. */
export const describeStack = ({ input, layout, dtype, layers }: RandomStack): string =>
  `x [${input.join()}] ${layout} ${dtype} ${layers.map(({ weight, bias, options }) => `w [${weight.join()}] ${bias ? "bias " : ""}${JSON.stringify(options)}`).join(" -> ")}`;
