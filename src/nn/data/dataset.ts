/** What a loader takes its samples from. */
import { require, show } from "../../base/errors.js";
import { isBelow } from "../../base/numbers.js";

/** Sizes of a sample: channels, height, width. */
export type SampleShape = readonly [channels: number, height: number, width: number];

/** A picture and what it shows. */
export interface Sample {
  /** Values `[channels, height, width]`, row-major; pictures from 0 to 1. Nobody but its dataset writes to it. */
  readonly x: Float32Array;
  /** A whole number, from 0 on. */
  readonly label: number;
}

/** Samples by their index. Anything with these members is a dataset. */
export interface Dataset {
  /** How many samples there are. */
  readonly size: number;
  readonly shape: SampleShape;
  /** What labels mean, by label. */
  readonly classes: readonly string[];
  /** The sample of an index from 0 to `size - 1`, at once or later. */
  get(index: number): Sample | Promise<Sample>;
}

/** Throws unless it is the index of one of so many samples. */
export function requireIndex(index: number, size: number): void {
  require(isBelow(index, size), () => `index is ${show(index)}; expected a whole number from 0 to ${String(size - 1)}`);
}
