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
  /** Likewise, less what the changes' error makes of later losses. */
  readonly unexplained: number;
  /** Largest norm(a - b) / norm(b) of a parameter's changes, what storing the parameter rounds taken off. */
  readonly change: number;
}

/** The second begins with what the first one's update gave; the update of the second is the first with a momentum. */
export const COMPARED_STEPS = 2;

/**
 * Of a loss. A sum of K products in float32 is off by about sqrt(K) * 2^-24 of its terms' size: 4e-6, K up to 4,608 here, and by Winograd's
 * transforms as much (docs/accuracy.md, 1.6e-6 for tiles of 4). Twenty layers add up to at most twenty such errors, 8e-5. The second
 * step's loss begins with other parameters: where the changes are off by a share d of theirs, in a direction that has little to do with
 * the gradient's, d^2 of it lies along that one, and so the loss is off by about d^2 of what the update changed it by.
 */
const LOSS_TOLERANCE = 1e-4;
/**
 * Of changes. Products' errors are small as above; but a value within its error of 0 may pass relu, or win a window's maximum, or not. One
 * of n values of a layer, half of which pass, brings or takes a share of sqrt(2 / n) of the gradient's norm, times its own gradient over
 * the usual one: of ResNet-18's last maps, 16 x 512 x 2 x 2, 0.8 %, and 2.4 % where that is three times the usual. Errors of e, of
 * values' deviation, turn about n * 0.4 * 0.8 e of them, which makes sqrt(0.64 L e) of L layers, whatever n is: with 17 layers and the
 * errors of Winograd's tiles of 4 that add up, 7e-6, it is 0.9 %; without Winograd 0.2 %. Two values of three times the usual gradient are
 * allowed for. A wrong factor, a term left out or a wrong momentum is off by a tenth and more.
 *
 * Adam's first steps change a parameter by lr g / (|g| + eps). That is off by at most lr / eps times the error of g: 4e-6 of gradients'
 * usual size, which is below 4e-3 of the rate where eps is above a thousandth of that size. Of the change's norm it is less.
 */
const CHANGE_TOLERANCE = 5e-2;
/** Half a unit in the last place of float32, of 1. */
const ROUNDING = 2 ** -24;

/** @param before the compared parameters' first values, by name */
export function differenceOf(
  actual: Outcome,
  expected: Outcome,
  before: (name: string) => ArrayLike<number>,
): Difference {
  const changes = Object.entries(expected.changes).map(([name, change]) => {
    const values = actual.changes[name] ?? [];
    if (values.length !== change.length) return NaN;
    const stored = COMPARED_STEPS * ROUNDING * normOf(Array.from(before(name)));
    const off = normOf(values.map((value, i) => value - change[i])) - stored;
    // NaN stays NaN.
    return Math.max(off, 0) / normOf(change);
  });
  const change = Math.max(...changes);
  const [first] = expected.losses;
  const losses = expected.losses.map((loss, i) => Math.abs((actual.losses[i] ?? NaN) - loss));
  const beyond = losses.map((off, i) => Math.max(off - change ** 2 * Math.abs(first - expected.losses[i]), 0));
  const relative = (all: readonly number[]): number =>
    Math.max(...all.map((off, i) => off / Math.abs(expected.losses[i])));
  return { loss: relative(losses), unexplained: relative(beyond), change };
}

/** False for NaN. */
export const agrees = ({ unexplained, change }: Difference): boolean =>
  unexplained <= LOSS_TOLERANCE && change <= CHANGE_TOLERANCE;

const normOf = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
