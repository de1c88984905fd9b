/** Terms of up to four values: what arithmetic and losses compute of each element, or sum. In the order of shaders/common/terms.wgsl. */

/** The values a, b, c, d, and Huber's delta. */
type Formula = (a: number, b: number, c: number, d: number, delta: number) => number;

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

const huber = (magnitude: number, delta: number): number =>
  magnitude <= delta ? magnitude ** 2 / 2 : delta * (magnitude - delta / 2);

const FORMULAS = {
  identity: (a) => a,
  sum: (a, b) => a + b,
  difference: (a, b) => a - b,
  product: (a, b) => a * b,
  quotient: (a, b) => a / b,
  /** Of b / c by c, times a. */
  divisorGradient: (a, b, c) => (-a * b) / (c * c),
  square: (a, b) => (a - b) ** 2,
  squareGradient: (a, b, c) => 2 * (a - b) * c,
  magnitude: (a, b) => Math.abs(a - b),
  magnitudeGradient: (a, b, c) => Math.sign(a - b) * c,
  huber: (a, b, _c, _d, delta) => huber(Math.abs(a - b), delta),
  huberGradient: (a, b, c, _d, delta) => Math.max(-delta, Math.min(delta, a - b)) * c,
  /** Binary cross-entropy of a logit a and a target b, whose positive part counts c times. */
  crossEntropy: (a, b, c) => c * b * softplus(-a) + (1 - b) * softplus(a),
  /** By the logit, times d. */
  logitGradient: (a, b, c, d) => ((1 - b) / (1 + Math.exp(-a)) - (c * b) / (1 + Math.exp(a))) * d,
  /** By the target, times d. */
  targetGradient: (a, _b, c, d) => (c * softplus(-a) - softplus(a)) * d,
} as const satisfies Readonly<Record<string, Formula>>;

export type Term = keyof typeof FORMULAS;

export const formulaOf = (term: Term): Formula => FORMULAS[term];

/** The constant TERM of a sum, without the table of all terms. */
export const SUM_CODE = 1;

/** The constant TERM. */
export const termCode = (term: Term): number => Object.keys(FORMULAS).indexOf(term);
