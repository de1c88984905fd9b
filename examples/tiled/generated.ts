/**
 * Generated pictures and volumes of any size, through layers of small integers: results are exact, so that parts of them can be
 * compared with the reference to the bit.
 */
import type { TileRegion } from "webgpu-conv";
import { forward, makeProblem } from "webgpu-conv/reference";
import type { Job } from "./job.js";

interface Layer {
  readonly weight: readonly number[];
  readonly options: { readonly padding: number; readonly dilation?: number };
}

/** Two 3x3 layers, and three 3x3x3 layers with growing dilation. */
const PICTURE: readonly Layer[] = [
  { weight: [4, 1, 3, 3], options: { padding: 1 } },
  { weight: [1, 4, 3, 3], options: { padding: 1 } },
];
const VOLUME: readonly Layer[] = [1, 2, 4].map((dilation, i) => ({
  weight: [i === 2 ? 1 : 2, i === 0 ? 1 : 2, 3, 3, 3],
  options: { padding: dilation, dilation },
}));

const product = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);

/** An integer from 0 to 15 for each position. */
function fill(begin: readonly number[], end: readonly number[]): Float32Array<ArrayBuffer> {
  const extents = end.map((last, axis) => last - begin[axis]);
  const [width] = extents.slice(-1);
  const values = new Float32Array(product(extents));
  const at = [...begin];
  for (let first = 0; first < values.length; first += width) {
    const row = at.slice(0, -1).reduce((hash, position) => Math.imul(hash ^ position, 0x9e3779b1), 0x2545f491);
    const [left] = begin.slice(-1);
    for (let x = 0; x < width; x++) values[first + x] = (Math.imul(row ^ (left + x), 0x85ebca6b) >>> 20) & 15;
    for (let axis = at.length - 2; axis >= 0 && ++at[axis] === end[axis]; axis--) at[axis] = begin[axis];
  }
  return values;
}

/** Integers from -1 to 1. */
const weightsOf = (count: number, layer: number): number[] =>
  Array.from({ length: count }, (_, i) => ((Math.imul(i + 7 * layer + 1, 0x9e3779b1) >>> 24) % 3) - 1);

const describe = ({ weight, options: { dilation = 1 } }: Layer): string =>
  `[${weight.join(", ")}]${dilation > 1 ? ` dilated by ${String(dilation)}` : ""}`;
const sizeOf = (size: number, rank: number): string => new Array<number>(rank).fill(size).join(" x ");
const [WINDOW, WINDOWS] = [6, 5];

export function generated(size: number, isVolume: boolean): Job {
  const layers = isVolume ? VOLUME : PICTURE;
  const rank = isVolume ? 3 : 2;
  const weights = layers.map(({ weight }, i) => weightsOf(product(weight), i));
  const windows = windowsOf(size, rank);
  return {
    what: `a ${isVolume ? "volume" : "picture"} of ${sizeOf(size, rank)} through ${layers.map(describe).join(", ")}`,
    source: { shape: [1, ...new Array<number>(rank).fill(size)], read: ({ begin, end }) => fill(begin, end) },
    layers: (engine) =>
      layers.map(({ weight, options }, i) => ({ ...options, weight: engine.tensor(weights[i], weight) })),
    sink: (region, values) => windows.forEach((window) => window.take(region, values)),
    finish: () => {
      const checked = windows.filter((window) => window.check(layers, weights)).length;
      return `${String(checked)} parts of the result are the reference's, to the bit`;
    },
  };
}

/** Parts of the result that are checked, evenly from corner to corner: all positions that they need lie within. */
function windowsOf(size: number, rank: number): readonly Window[] {
  const margin = 8;
  const room = size - WINDOW - 2 * margin;
  if (room < 0) return [];
  return Array.from({ length: WINDOWS }, (_, i) => {
    return new Window(new Array<number>(rank).fill(margin + Math.floor((room * i) / (WINDOWS - 1))), size);
  });
}

class Window {
  readonly #begin: readonly number[];
  readonly #size: number;
  readonly #values: Float32Array;

  constructor(begin: readonly number[], size: number) {
    this.#begin = begin;
    this.#size = size;
    this.#values = new Float32Array(WINDOW ** begin.length).fill(NaN);
  }

  #positions(): readonly (readonly number[])[] {
    const rank = this.#begin.length;
    return Array.from({ length: WINDOW ** rank }, (_, i) =>
      this.#begin.map((first, axis) => first + (Math.floor(i / WINDOW ** (rank - 1 - axis)) % WINDOW)),
    );
  }

  /** Keeps what a region has of this part. */
  take({ begin, end }: TileRegion, values: Float32Array): void {
    for (const [i, position] of this.#positions().entries()) {
      if (!position.every((at, axis) => at >= begin[axis] && at < end[axis])) continue;
      const place = position.reduce((sum, at, axis) => sum * (end[axis] - begin[axis]) + at - begin[axis], 0);
      this.#values[i] = values[place];
    }
  }

  /** Throws unless the values are those of the reference. */
  check(layers: readonly Layer[], weights: readonly (readonly number[])[]): boolean {
    const rank = this.#begin.length;
    const halo = layers.reduce((sum, { options }) => sum + options.padding, 0);
    const [begin, end] = [-halo, WINDOW + halo].map((shift) => this.#begin.map((at) => at + shift));
    let values: ArrayLike<number> = fill(begin, end);
    let extent = WINDOW + 2 * halo;
    for (const [i, { weight, options }] of layers.entries()) {
      const shape = [1, weight[1], ...new Array<number>(rank).fill(extent)];
      const problem = makeProblem(rank as 2 | 3, shape, weight, { dilation: options.dilation ?? 1 });
      values = forward(problem, Float32Array.from(values), Float32Array.from(weights[i]), {});
      extent -= 2 * options.padding;
    }
    const wrong = Array.from(values).findIndex((value, i) => value !== this.#values[i]);
    if (wrong >= 0) {
      const place = this.#positions()[wrong].join(", ");
      throw new Error(
        `at ${place} of ${String(this.#size)} the result is ${String(this.#values[wrong])}; expected ${String(values[wrong])}`,
      );
    }
    return true;
  }
}
