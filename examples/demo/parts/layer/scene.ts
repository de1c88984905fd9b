/** A scene: a window of filters over a source volume, and the result volume that grows from it. All three views are one. */
import type { Numbered } from "./numbers.js";

/** Which of the layer's own numbers a cell shows. */
export interface Origin {
  readonly name: Numbered;
  readonly place: readonly number[];
}

/** A stack of slices. Their colour says what they play in the scene, their symbol what they are. */
export interface Volume {
  /** Of a slice, as in formulas: "x[0]". */
  readonly titles: readonly string[];
  readonly height: number;
  readonly width: number;
  /** Row by row, slice after slice. */
  readonly values: Float32Array;
  /** Where the cell comes from; undefined for padding, for zeros put between, and for results. */
  originOf(this: void, slice: number, row: number, column: number): Origin | undefined;
}

/** Extents of the window over the source. */
export interface WindowShape {
  readonly height: number;
  readonly width: number;
  /** Source cells between taps. */
  readonly dilation: number;
  /** Source cells between windows. */
  readonly stride: number;
}

export interface Place {
  /** Of the filters. */
  readonly filter: number;
  readonly row: number;
  readonly column: number;
  /** Source slices that are summed over, and those of the filter that they are multiplied with. */
  readonly sourceSlices: readonly number[];
}

/** One product. */
export interface Term {
  readonly source: number;
  readonly weight: number;
  readonly product: number;
}

/** What one source slice adds to a result. */
export interface SliceSum {
  readonly sourceSlice: number;
  readonly filterSlice: number;
  /** Row by row of the window. */
  readonly terms: readonly Term[];
  readonly sum: number;
}

export interface Check {
  readonly call: string;
  readonly values: number;
  /** Of the values, those that are the same to the last bit. */
  readonly equal: number;
  /** The largest difference. */
  readonly largest: number;
}

/** @param call what gave `expected` */
export const checkOf = (call: string, expected: Float32Array, actual: Float32Array): Check => ({
  call,
  values: expected.length,
  equal: expected.filter((value, i) => value === actual[i]).length,
  largest: expected.reduce((most, value, i) => Math.max(most, Math.abs(value - actual[i])), 0),
});

export interface Scene {
  readonly source: Volume;
  readonly filters: readonly Volume[];
  readonly result: Volume;
  readonly window: WindowShape;
  /** How many slices of the result stand side by side. */
  readonly resultColumns: number;
  /** One a filter, where there are any. */
  readonly biases: Float32Array | undefined;
  /** Numbers beside the result: another volume that follows from it. */
  readonly extra: { readonly volume: Volume; readonly text: string } | undefined;
  /** How the result compares with what the engine's own gradient gives; undefined where the result is its own. */
  readonly check: Check | undefined;
  sumsAt(this: void, index: number): readonly SliceSum[];
}

export const resultSize = ({ result }: Scene): number => result.titles.length * result.height * result.width;

/** Where the window is for a result, counted slice by slice and row by row. */
export function placeAt(scene: Scene, index: number): Place {
  const { result, source, filters } = scene;
  const positions = result.height * result.width;
  const slice = Math.floor(index / positions);
  const [row, column] = [Math.floor((index % positions) / result.width), index % result.width];
  const perFilter = result.titles.length / filters.length;
  // With one result slice a filter, all source slices are summed over; else each has a result of its own.
  const sourceSlices =
    perFilter === 1 && filters[0].titles.length > 1 ? source.titles.map((_, i) => i) : [slice % perFilter];
  return { filter: Math.floor(slice / perFilter), row, column, sourceSlices };
}

export const indexOf = ({ result }: Scene, slice: number, row: number, column: number): number =>
  (slice * result.height + row) * result.width + column;
