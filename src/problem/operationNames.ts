/** The names by which `engine.explain` knows operations. */
import type { Direction } from "./operation.js";
import type { Rank } from "./problem.js";

type Passes = "" | "InputGradient" | "WeightGradient" | "BiasGradient";

/** Every convolution method that runs one pass: "conv2d", "conv2dInputGradient", "convTranspose3d"... */
export type OperationName = `conv${Rank}d${Passes}` | `convTranspose${Rank}d${Exclude<Passes, "BiasGradient">}`;

/** What a name stands for. */
export interface NamedOperation {
  readonly rank: Rank;
  readonly transposed: boolean;
  /** The pass of the convolution, or of the convolution behind a transposed one. */
  readonly direction: Direction;
}

const DIRECTIONS: Readonly<Record<Passes, Direction>> = {
  "": "forward",
  InputGradient: "inputGradient",
  WeightGradient: "weightGradient",
  BiasGradient: "biasGradient",
};
const TRANSPOSED_DIRECTIONS: Readonly<Partial<Record<Passes, Direction>>> = {
  "": "inputGradient",
  InputGradient: "forward",
  WeightGradient: "weightGradient",
};

/** Reads an operation's name; undefined for an unknown one. */
export function readOperationName(name: string): NamedOperation | undefined {
  if (typeof (name as unknown) !== "string") return undefined;
  const match = /^conv(Transpose)?([123])d(|InputGradient|WeightGradient|BiasGradient)$/.exec(name);
  if (!match) return undefined;
  const transposed = match[1] === "Transpose";
  const direction = (transposed ? TRANSPOSED_DIRECTIONS : DIRECTIONS)[match[3] as Passes];
  return direction && { rank: Number(match[2]) as Rank, transposed, direction };
}
