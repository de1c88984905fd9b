/** Fractions of small integers, in lowest terms: how far apart the positions of a network's values are. */
import { LimitError, show } from "../../base/errors.js";

export type Fraction = readonly [numerator: number, denominator: number];

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));

/** Numerators and denominators that are looked for. */
const LARGEST = 64;
const NEAR = 1e-9;

const reduced = (numerator: number, denominator: number): Fraction => {
  const common = greatestCommonDivisor(numerator, denominator);
  return [numerator / common, denominator / common];
};

/** The fraction that a number is. Throws where it is none of small integers. */
export function fractionOf(value: number, name: string): Fraction {
  for (let denominator = 1; denominator <= LARGEST; denominator++) {
    const numerator = Math.round(value * denominator);
    if (numerator > 0 && Math.abs(numerator / denominator - value) < NEAR) return reduced(numerator, denominator);
  }
  throw new LimitError(
    `${name} has ${show(value)} positions of what it reads between its own; expected a fraction of integers up to ${String(LARGEST)}, so that tiles can begin at whole positions`,
  );
}

export const product = ([a, b]: Fraction, [c, d]: Fraction): Fraction => reduced(a * c, b * d);

/** The least multiple of the input's positions at which a value has a position that is a multiple of `unit`. */
export const leastUnit = ([numerator, denominator]: Fraction, unit: number): number =>
  (numerator * unit) / greatestCommonDivisor(numerator * unit, denominator);
