/** Whether an engine's steps are those of float64, which begin with the same values. */

/** What there is after the compared steps. */
export interface Outcome {
  readonly losses: readonly number[];
  /** Changes of the compared parameters, by name. */
  readonly changes: Readonly<Record<string, readonly number[]>>;
}

export interface Difference {
  /** Largest |a - b| / |b| of a step's losses. */
  readonly loss: number;
  /** Largest norm(a - b) / norm(b) of a parameter's changes, what storing the parameter rounds taken off. */
  readonly change: number;
}

/** The second begins with what the first one's update gave; the update of the second is the first with a momentum. */
export const COMPARED_STEPS = 2;

/**
 * Of a loss. A sum of K products in float32 is off by about sqrt(K) * 2^-24 of its terms' size: 4e-6, K up to 4,608 here. Twenty layers
 * add up to at most twenty such errors, 8e-5; the second step's begins with parameters that are off by less than that.
 */
const LOSS_TOLERANCE = 1e-4;
/**
 * Of changes. Products' errors are small as above; but of the 10^6 values of a layer, those within their error of 0, about one, may pass
 * relu or win a window's maximum otherwise, and bring or take a share of about 1 / sqrt(10^6) of the gradient's norm: at most 1e-3 a
 * layer, and 5e-3 for twenty that are independent. Twice that. A wrong factor, a term left out or a wrong momentum is off by a tenth and
 * more.
 *
 * Adam's first steps change a parameter by lr g / (|g| + eps). That is off by at most lr / eps times the error of g: 4e-6 of gradients'
 * usual size, which is below 4e-3 of the rate where eps is above a thousandth of that size. Of the change's norm it is less.
 */
const CHANGE_TOLERANCE = 1e-2;
/** Half a unit in the last place of float32, of 1. */
const ROUNDING = 2 ** -24;

/** @param before the compared parameters' first values, by name */
export function differenceOf(
  actual: Outcome,
  expected: Outcome,
  before: (name: string) => ArrayLike<number>,
): Difference {
  const losses = expected.losses.map((loss, i) => Math.abs((actual.losses[i] ?? NaN) - loss) / Math.abs(loss));
  const changes = Object.entries(expected.changes).map(([name, change]) => {
    const values = actual.changes[name] ?? [];
    if (values.length !== change.length) return NaN;
    const stored = COMPARED_STEPS * ROUNDING * normOf(Array.from(before(name)));
    const off = normOf(values.map((value, i) => value - change[i])) - stored;
    // NaN stays NaN.
    return Math.max(off, 0) / normOf(change);
  });
  return { loss: Math.max(...losses), change: Math.max(...changes) };
}

/** False for NaN. */
export const agrees = ({ loss, change }: Difference): boolean => loss <= LOSS_TOLERANCE && change <= CHANGE_TOLERANCE;

const normOf = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
