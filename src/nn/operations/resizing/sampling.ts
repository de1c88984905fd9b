/** Where the elements of a resized axis lie in its source, in integers: no rounding, so that every device takes the same ones. */
import { LimitError, require, show } from "../../../base/errors.js";

/**
 * Where result o lies in the source, as ONNX's Resize calls it, for `scale` = results / sources:
 * - "half-pixel": `(o + 1/2) / scale - 1/2`;
 * - "pytorch-half-pixel": likewise, and 0 where there is one result;
 * - "align-corners": `o * (sources - 1) / (results - 1)`;
 * - "asymmetric": `o / scale`.
 */
export type Coordinates = "half-pixel" | "pytorch-half-pixel" | "align-corners" | "asymmetric";

/** Which neighbour is nearest: below, above, or the closer one, and of two that are as close the lower or the higher. */
export type Rounding = "floor" | "ceil" | "prefer-floor" | "prefer-ceil";

export const COORDINATES: readonly Coordinates[] = ["half-pixel", "pytorch-half-pixel", "align-corners", "asymmetric"];
export const ROUNDINGS: readonly Rounding[] = ["floor", "ceil", "prefer-floor", "prefer-ceil"];

/** Result o lies at `(step * o + shift) / divisor`, clamped to the source; nearest: rounded down. All are integers, step and divisor at least 1. */
export interface Sampling {
  readonly step: number;
  readonly shift: number;
  readonly divisor: number;
}

/** Sources between neighbouring results, as numerator and denominator. */
export type Fraction = readonly [numerator: number, denominator: number];

/** Kernels count in signed 32-bit integers. */
const LARGEST = 2 ** 31 - 1;
/** How far a result may lie, in sources, from where a scale that is no small fraction puts it: less than float32 tells apart. */
const NEAR = 2 ** -20;

/**
 * @param pitch sources between neighbouring results
 * @param rounding of the nearest; undefined for linear interpolation
 */
export function sampleAxis(
  sources: number,
  results: number,
  pitch: Fraction,
  coordinates: Coordinates,
  rounding: Rounding | undefined,
): Sampling {
  const exact = place(sources, results, pitch, coordinates);
  const sampling = rounding === undefined ? exact : rounded(exact, rounding);
  const { step, shift, divisor } = sampling;
  const farthest = Math.max(step * results + Math.abs(shift), (sources + 1) * divisor + Math.abs(shift));
  if (farthest > LARGEST) {
    throw new LimitError(
      `resizing ${String(sources)} elements to ${String(results)} counts up to ${String(farthest)}; expected less than 2^31: resize in two steps`,
    );
  }
  return sampling;
}

function place(sources: number, results: number, [over, under]: Fraction, coordinates: Coordinates): Sampling {
  const isSingle = results === 1 && (coordinates === "align-corners" || coordinates === "pytorch-half-pixel");
  // All results lie at 0.
  if (sources === 1 || isSingle) return { step: 1, shift: 0, divisor: results };
  if (coordinates === "align-corners") return { step: sources - 1, shift: 0, divisor: results - 1 };
  if (coordinates === "asymmetric") return { step: over, shift: 0, divisor: under };
  return { step: 2 * over, shift: over - under, divisor: 2 * under };
}

/** The integer that a position rounds to is another position rounded down. */
function rounded({ step, shift, divisor }: Sampling, rounding: Rounding): Sampling {
  if (rounding === "floor") return { step, shift, divisor };
  if (rounding === "ceil") return { step, shift: shift + divisor - 1, divisor };
  const half = { step: 2 * step, shift: 2 * shift + divisor, divisor: 2 * divisor };
  return rounding === "prefer-ceil" ? half : { ...half, shift: half.shift - 1 };
}

/** 1 / scale as a fraction of small integers: that with the least denominator whose results all lie near enough. */
export function pitchOf(scale: number, results: number): Fraction {
  const wanted = 1 / scale;
  // Continued fractions: each convergent is the best of its size.
  let rest = wanted;
  let [before, last]: [Fraction, Fraction] = [
    [0, 1],
    [1, 0],
  ];
  for (;;) {
    const whole = Math.floor(rest);
    const next: Fraction = [whole * last[0] + before[0], whole * last[1] + before[1]];
    [before, last] = [last, next];
    if (last[0] > 0 && Math.abs(last[0] / last[1] - wanted) * results <= NEAR) return last;
    require(rest !== whole && last[1] < LARGEST, () =>
      `scaleFactor is ${show(scale)}; expected one that keeps sizes below 2^31`);
    rest = 1 / (rest - whole);
  }
}
