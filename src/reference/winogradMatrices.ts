/**
 * The matrices of Winograd's minimal filtering F(tile x tile, kernel x kernel) in absolute values, as its error bounds
 * have them (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016).
 */

export type Matrix = readonly (readonly number[])[];

export interface Transforms {
  /** Absolute values of B^T, G and A^T. */
  readonly patch: Matrix;
  readonly filter: Matrix;
  readonly result: Matrix;
}

/** Absolute values of the points that patches are interpolated at, but for infinity, and the filters' divisors there. */
const POINTS: Readonly<Record<number, readonly { readonly at: number; readonly divisor: number }[]>> = {
  4: [
    { at: 0, divisor: 1 },
    { at: 1, divisor: 2 },
    { at: 1, divisor: 2 },
  ],
  6: [
    { at: 0, divisor: 4 },
    { at: 1, divisor: 6 },
    { at: 1, divisor: 6 },
    { at: 2, divisor: 24 },
    { at: 2, divisor: 24 },
  ],
};

const PATCHES: Readonly<Record<number, Matrix>> = {
  4: [
    [1, 0, 1, 0],
    [0, 1, 1, 0],
    [0, 1, 1, 0],
    [0, 1, 0, 1],
  ],
  6: [
    [4, 0, 5, 0, 1, 0],
    [0, 4, 4, 1, 1, 0],
    [0, 4, 4, 1, 1, 0],
    [0, 2, 1, 2, 1, 0],
    [0, 2, 1, 2, 1, 0],
    [0, 4, 0, 5, 0, 1],
  ],
};

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/**
 * G and A evaluate a polynomial at the points: powers of each, and for infinity the last coefficient.
 *
 * @throws RangeError for patches (tile + kernel - 1) other than 4 and 6
 */
export function transformsOf(tile: number, kernel: number): Transforms {
  const size = tile + kernel - 1;
  if (!(size in POINTS)) throw new RangeError(`F(${String(tile)}, ${String(kernel)}) is not known`);
  const points = POINTS[size];
  const isLast = (k: number, count: number): number => (k === count - 1 ? 1 : 0);
  return {
    patch: PATCHES[size],
    filter: [
      ...points.map(({ at, divisor }) => range(kernel).map((k) => at ** k / divisor)),
      range(kernel).map((k) => isLast(k, kernel)),
    ],
    result: range(tile).map((k) => [...points.map(({ at }) => at ** k), isLast(k, tile)]),
  };
}

/**
 * Roundings on the way of one product, beside the sum over channels. An axis of a transform: for a filter at most two
 * divisions (2.5 units each, as WGSL grants) and three sums; for a patch and for a result two products and three sums.
 * Two axes each; and the product itself. A gradient takes the transposed matrices, with no more roundings.
 */
export const TRANSFORM_ROUNDINGS = 2 * (5 + 3) + 2 * (2 + 3) + 2 * (2 + 3) + 1;

/** M p M^T, for a square p stored row by row. */
export function transform(matrix: Matrix, values: Float64Array): Float64Array {
  const size = matrix[0].length;
  const half = matrix.map((row) => {
    return Array.from({ length: size }, (_, x) =>
      row.reduce((sum, factor, y) => sum + factor * values[y * size + x], 0),
    );
  });
  const result = new Float64Array(matrix.length ** 2);
  half.forEach((row, y) => {
    matrix.forEach((factors, x) => {
      result[y * matrix.length + x] = factors.reduce((sum, factor, i) => sum + factor * row[i], 0);
    });
  });
  return result;
}

export function transposed(matrix: Matrix): Matrix {
  return matrix[0].map((_, column) => matrix.map((row) => row[column]));
}
