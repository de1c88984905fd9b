/** Values of random networks: what a generator knows of them. */
import type { Random } from "../../data.js";
import type { AttributeValue, TensorSpec } from "../onnxFile.js";

/** Half the distance between 1 and the next float32: the largest relative error of a rounding. */
export const UNIT = 2 ** -24;

export interface Value {
  readonly name: string;
  /** `[N, C, ...positions]`. */
  readonly shape: readonly number[];
  /** No element is larger. */
  readonly most: number;
  /** How far float32 arithmetic, in whatever order, may be from real numbers. */
  readonly error: number;
}

/** An operator with what it computes. */
export interface Made {
  readonly op: string;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  /** Inputs behind x: constants, or undefined where one is left out. */
  readonly constants?: readonly (TensorSpec | undefined)[];
  /** Whether x is the second input, and the constant the first. */
  readonly isBehind?: boolean;
  /** Of each result, of which the last one is read on. */
  readonly results: readonly Omit<Value, "name">[];
}

export type Generator = (random: Random, x: Value, opset: number) => Made | undefined;

export const count = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1);
export const positions = ({ shape }: Value): readonly number[] => shape.slice(2);

export const list = <T>(length: number, make: (i: number) => T): T[] => Array.from({ length }, (_, i) => make(i));

export const real = (random: Random, low = -1, high = 1): number => Math.fround(low + (high - low) * random.next());
export const constant = (shape: readonly number[], make: (i: number) => number): TensorSpec => ({
  shape,
  data: list(count(shape), make).map(Math.fround),
});
export const integers = (...data: readonly number[]): TensorSpec => ({ shape: [data.length], data, dtype: "int64" });

/** A value's element-wise function that changes no distance by more than `slope`, and is within `ulps` roundings. */
export const mapped = (x: Value, most: number, slope = 1, ulps = 4): Omit<Value, "name"> => ({
  shape: x.shape,
  most,
  error: slope * x.error + ulps * UNIT * Math.max(most, x.most),
});
