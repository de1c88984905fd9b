/**
 * The matrices of Winograd's minimal filtering F(tile x tile, 3 x 3) in absolute values, as its error bounds have them
 * (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016).
 */

export type Matrix = readonly (readonly number[])[];

export interface Transforms {
  /** Absolute values of B^T, G and A^T. */
  readonly patch: Matrix;
  readonly filter: Matrix;
  readonly result: Matrix;
}

export const TRANSFORMS: Readonly<Record<2 | 4, Transforms>> = {
  2: {
    patch: [
      [1, 0, 1, 0],
      [0, 1, 1, 0],
      [0, 1, 1, 0],
      [0, 1, 0, 1],
    ],
    filter: [
      [1, 0, 0],
      [1 / 2, 1 / 2, 1 / 2],
      [1 / 2, 1 / 2, 1 / 2],
      [0, 0, 1],
    ],
    result: [
      [1, 1, 1, 0],
      [0, 1, 1, 1],
    ],
  },
  4: {
    patch: [
      [4, 0, 5, 0, 1, 0],
      [0, 4, 4, 1, 1, 0],
      [0, 4, 4, 1, 1, 0],
      [0, 2, 1, 2, 1, 0],
      [0, 2, 1, 2, 1, 0],
      [0, 4, 0, 5, 0, 1],
    ],
    filter: [
      [1 / 4, 0, 0],
      [1 / 6, 1 / 6, 1 / 6],
      [1 / 6, 1 / 6, 1 / 6],
      [1 / 24, 1 / 12, 1 / 6],
      [1 / 24, 1 / 12, 1 / 6],
      [0, 0, 1],
    ],
    result: [
      [1, 1, 1, 1, 1, 0],
      [0, 1, 1, 2, 2, 0],
      [0, 1, 1, 4, 4, 0],
      [0, 1, 1, 8, 8, 1],
    ],
  },
};

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
