/** Layers on an engine whose device binds little, beside the same on one that binds all of them. */
import type { Activation, DType, Engine, ForwardOptions, Rank, Tensor, TransposedSize } from "webgpu-conv";
import { makeProblem, makeTransposedProblem } from "webgpu-conv/reference";
import { product } from "../../src/problem/geometry.js";
import { type Fill, Random } from "./data.js";

export interface LargeLayer {
  readonly rank: Rank;
  readonly transposed?: boolean;
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly dtype?: DType;
  readonly options?: Omit<ForwardOptions, "bias" | "residual" | "activation" | "solver"> & TransposedSize;
  readonly activation?: Activation;
  readonly residual?: boolean;
  /** Whether the forward pass ends in a prelu with a slope a channel, in place of the activation. */
  readonly prelu?: boolean;
  /** Of the forward pass. */
  readonly solver?: string;
}

const PASSES = ["forward", "input gradient", "weight gradient", "bias gradient"] as const;
export type Pass = (typeof PASSES)[number];

/** The results of each pass on an engine, or what it throws. */
export async function runLayer(
  engine: Engine,
  layer: LargeLayer,
  fill: Fill,
  seed = 1,
): Promise<Readonly<Record<Pass, Float32Array | Error>>> {
  const { rank, transposed = false, input, weight, dtype = "float32", options = {}, residual = false } = layer;
  const { activation = "none" } = layer;
  const problem = (transposed ? makeTransposedProblem : makeProblem)(rank, input, weight, options);
  const [result, channels] = transposed
    ? [problem.inputShape, problem.inChannels]
    : [problem.outputShape, problem.outChannels];
  const random = new Random(seed);
  const upload = (shape: readonly number[]): Tensor => engine.tensor(fill(random, product(shape)), shape, { dtype });
  const [x, w, dy, bias, added] = [input, weight, result, [channels], result].map(upload);
  const name = transposed ? (`convTranspose${rank}d` as const) : (`conv${rank}d` as const);
  const ends = layer.prelu === true ? ({ name: "prelu", slope: bias } as const) : activation;
  const fused = { bias, activation: ends, ...(residual && { residual: added }) };
  const { layout = "channels-first" } = options;
  const calls: Readonly<Record<Pass, () => Tensor>> = {
    forward: () =>
      engine[name](x, w, { ...options, ...fused, ...(layer.solver !== undefined && { solver: layer.solver }) }),
    "input gradient": () =>
      engine[`${name}InputGradient`](dy, w, input, { ...options, activation: "relu", output: added }),
    "weight gradient": () => engine[`${name}WeightGradient`](dy, x, weight, options),
    "bias gradient": () => engine[`conv${rank}dBiasGradient`](dy, { layout }),
  };
  const outcomes = PASSES.map(async (pass) => {
    try {
      const tensor = calls[pass]();
      const values = await tensor.data();
      tensor.dispose();
      return [pass, values] as const;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return [pass, error] as const;
    }
  });
  const results = Object.fromEntries(await Promise.all(outcomes)) as Record<Pass, Float32Array | Error>;
  for (const tensor of [x, w, dy, bias, added]) tensor.dispose();
  return results;
}

/** Passes whose results have other bits, each with the first element that differs; or with what was thrown. */
export function otherBits(
  got: Readonly<Record<Pass, Float32Array | Error>>,
  wanted: Readonly<Record<Pass, Float32Array | Error>>,
): string[] {
  return PASSES.flatMap((pass) => {
    const [one, other] = [got[pass], wanted[pass]];
    if (one instanceof Error) return [`${pass}: ${one.message}`];
    if (other instanceof Error) return [`${pass}: ${other.message}`];
    const at = other.findIndex((value, i) => !Object.is(value, one[i]));
    return at < 0 ? [] : [`${pass}: ${String(one[at])} at ${String(at)}; expected ${String(other[at])}`];
  });
}
