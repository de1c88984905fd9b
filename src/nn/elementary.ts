/**
 * Logarithm, sine, cosine and powers by additions, multiplications, divisions and square roots alone. IEEE 754 rounds these
 * alike everywhere, while engines' `Math.log`, `Math.cos` and `Math.pow` differ in their last bits. What is made with them
 * here (weights, pictures, learning rates) has the same bits in every engine.
 */

const LN_2 = 0.6931471805599453;

/** The natural logarithm of a number in (0, 1]: ln(m 2^-e) = 2 atanh((m - 1) / (m + 1)) - e ln 2, m in [0.75, 1.5). */
export function logarithm(value: number): number {
  let mantissa = value;
  let exponent = 0;
  for (; mantissa < 0.75; exponent++) mantissa *= 2;
  const s = (mantissa - 1) / (mantissa + 1);
  const square = s * s;
  // |s| is at most 1/5: the first term left out is below 2^-52 of the first one.
  let sum = 0;
  for (let power = 21; power >= 1; power -= 2) sum = sum * square + 1 / power;
  return 2 * s * sum - exponent * LN_2;
}

/** 1 - x^2/(n (n-1)) (1 - x^2/((n-2) (n-3)) (...)), the factors from `last` down to `first`: a series of Taylor's. */
function series(square: number, last: number, first: number): number {
  let sum = 1;
  for (let n = last; n >= first; n -= 2) sum = 1 - (sum * square) / (n * (n - 1));
  return sum;
}

const evenSeries = (angle: number): number => series(angle * angle, 18, 2);

/** cos(pi t) for any finite t: exactly 0, 1 or -1 at multiples of a half. */
export function cosineOfPi(t: number): number {
  const turn = Math.abs(t - 2 * Math.round(t / 2));
  // An eighth of a turn at most: the series' first terms left out are below 2^-60.
  if (turn <= 0.25) return evenSeries(Math.PI * turn);
  if (turn >= 0.75) return -evenSeries(Math.PI * (1 - turn));
  const angle = Math.PI * (0.5 - turn);
  return angle * series(angle * angle, 19, 3);
}

/** sin(pi t) for any finite t. */
export const sineOfPi = (t: number): number => cosineOfPi(t - 0.5);

/** A number to the power of a whole number from 0 on, by squaring. */
export function power(base: number, exponent: number): number {
  let result = 1;
  let factor = base;
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result *= factor;
    factor *= factor;
  }
  return result;
}
