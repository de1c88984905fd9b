/**
 * The quantile of the normal distribution, with the same bits everywhere.
 *
 * Rational approximations PPND16 of Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied
 * Statistics 37 (1988): within about 1 part in 10^16. Its third one, for probabilities below e^-25, has no use here: the
 * least is 2^-33.
 */
import { logarithm } from "./elementary.js";

type Coefficients = readonly number[];

/** Numerators and denominators, highest powers first: about the middle, and of the tails. */
const MIDDLE: readonly [Coefficients, Coefficients] = [
  [
    2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457, 13731.693765509461125,
    1971.5909503065514427, 133.14166789178437745, 3.387132872796366608,
  ],
  [
    5226.495278852545925, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867, 5394.1960214247511077,
    687.1870074920579083, 42.313330701600911252, 1,
  ],
];
const TAIL: readonly [Coefficients, Coefficients] = [
  [
    7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
    3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734,
  ],
  [
    1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459,
    0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1,
  ],
];

function evaluate(coefficients: Coefficients, x: number): number {
  let sum = coefficients[0];
  for (let i = 1; i < coefficients.length; i++) sum = sum * x + coefficients[i];
  return sum;
}

const ratio = ([above, below]: readonly [Coefficients, Coefficients], x: number): number =>
  evaluate(above, x) / evaluate(below, x);

/** The number that a standard normal variable is below with this probability, which is within 2^-33 and 1 - 2^-33. */
export function normalQuantile(probability: number): number {
  const distance = probability - 0.5;
  if (Math.abs(distance) <= 0.425) return distance * ratio(MIDDLE, 0.180625 - distance * distance);
  const root = Math.sqrt(-logarithm(Math.min(probability, 1 - probability)));
  const quantile = ratio(TAIL, root - 1.6);
  return distance < 0 ? -quantile : quantile;
}
