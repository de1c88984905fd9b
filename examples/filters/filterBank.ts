/**
 * A bank of classical picture filters as one convolution weight: K filters of 5 x 5 x 3.
 *
 * Each filter is a 5 x 5 pattern of taps, spread over red, green and blue by three factors. "Convolution" is
 * cross-correlation here as everywhere in deep learning, so taps lie over the picture as they are written.
 */

/** Extent of every filter; 3 x 3 patterns sit in its middle. */
export const EXTENT = 5;
export const COLOURS = 3;

/**
 * How a response becomes a grey value.
 *
 * - unit: 0 is black, 1 is white, what lies beyond is clamped;
 * - magnitude: 0 is black, the largest absolute response away from the picture's edge is white.
 */
export type DisplayRule = "unit" | "magnitude";

export interface Filter {
  readonly name: string;
  /** EXTENT x EXTENT, row by row. */
  readonly taps: readonly number[];
  /** Factors of red, green and blue. */
  readonly colour: readonly [red: number, green: number, blue: number];
  readonly bias: number;
  readonly display: DisplayRule;
}

/** Brightness of a colour as ITU-R BT.601 weighs it. */
const BRIGHTNESS = [0.299, 0.587, 0.114] as const;

const identity = embed([0, 0, 0, 0, 1, 0, 0, 0, 0]);
const box = new Array<number>(EXTENT * EXTENT).fill(1 / (EXTENT * EXTENT));
/** Binomial coefficients: the discrete Gaussian of variance 1. */
const gaussian = outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]).map((tap) => tap / 256);

const edge = (name: string, taps: readonly number[]): Filter => {
  return { name, taps: embed(taps), colour: BRIGHTNESS, bias: 0, display: "magnitude" };
};
const grey = (name: string, taps: readonly number[], bias = 0): Filter => {
  return { name, taps, colour: BRIGHTNESS, bias, display: "unit" };
};

export const FILTERS: readonly Filter[] = [
  edge("sobel-x", [-1, 0, 1, -2, 0, 2, -1, 0, 1]),
  edge("sobel-y", [-1, -2, -1, 0, 0, 0, 1, 2, 1]),
  edge("sobel-rising", [2, 1, 0, 1, 0, -1, 0, -1, -2]),
  edge("sobel-falling", [0, 1, 2, -1, 0, 1, -2, -1, 0]),
  edge("laplacian", [0, 1, 0, 1, -4, 1, 0, 1, 0]),
  // The picture plus one and a half times what the blur takes away.
  grey(
    "sharpen",
    identity.map((tap, i) => tap + 1.5 * (tap - gaussian[i])),
  ),
  grey("box-blur", box),
  grey("gaussian-blur", gaussian),
  // Light from the lower right; flat parts come out mid-grey.
  grey("emboss", embed([-1, -1, 0, -1, 0, 1, 0, 1, 1]), 0.5),
  // Blurred, as a retina's receptive field is; mid-grey where the two colours balance.
  { name: "red-green", taps: gaussian, colour: [0.5, -0.5, 0], bias: 0.5, display: "unit" },
  { name: "blue-yellow", taps: gaussian, colour: [-0.25, -0.25, 0.5], bias: 0.5, display: "unit" },
];

/** Weight and bias of a convolution that applies every filter: `[K, 3, 5, 5]` and `[K]`. */
export interface BankTensors {
  readonly weight: Float32Array<ArrayBuffer>;
  readonly weightShape: readonly number[];
  readonly bias: Float32Array<ArrayBuffer>;
}

export function bankTensors(filters: readonly Filter[]): BankTensors {
  const weight = filters.flatMap(({ taps, colour }) => colour.flatMap((factor) => taps.map((tap) => factor * tap)));
  return {
    weight: Float32Array.from(weight),
    weightShape: [filters.length, COLOURS, EXTENT, EXTENT],
    bias: Float32Array.from(filters, ({ bias }) => bias),
  };
}

/** A 3 x 3 pattern in the middle of zeros. */
function embed(pattern: readonly number[]): number[] {
  const taps = new Array<number>(EXTENT * EXTENT).fill(0);
  pattern.forEach((tap, i) => (taps[(Math.floor(i / 3) + 1) * EXTENT + (i % 3) + 1] = tap));
  return taps;
}

function outer(rows: readonly number[], columns: readonly number[]): number[] {
  return rows.flatMap((row) => columns.map((column) => row * column));
}
