/** Responses of a filter as a grey picture. */
import { type DisplayRule, EXTENT } from "./filterBank.js";
import type { Bitmap } from "./pictureFile.js";

/** Responses this close to the edge of the picture also see the zeros around it. */
const RIM = Math.floor(EXTENT / 2);

/** @param responses `height * width` values of one filter, row by row */
export function activationMap(
  responses: Float32Array,
  width: number,
  height: number,
  rule: DisplayRule,
): Bitmap & { readonly channels: 1 } {
  const white = rule === "unit" ? 1 : largestInside(responses, width, height);
  const data = Uint8Array.from(responses, (value) => {
    const shown = rule === "magnitude" ? Math.abs(value) : value;
    return white > 0 ? Math.round(255 * Math.min(1, Math.max(0, shown / white))) : 0;
  });
  return { width, height, channels: 1, data };
}

/** Largest magnitude away from the rim; of all responses where the picture is nothing but rim. */
function largestInside(responses: Float32Array, width: number, height: number): number {
  const rim = Math.min(width, height) > 2 * RIM ? RIM : 0;
  let largest = 0;
  for (let y = rim; y < height - rim; y++) {
    for (let x = rim; x < width - rim; x++) largest = Math.max(largest, Math.abs(responses[y * width + x]));
  }
  return largest;
}

/** The rule in words. */
export const RULE_IN_WORDS: Readonly<Record<DisplayRule, string>> = {
  unit: "black 0, white 1, clamped",
  magnitude: `black 0, white the largest |response| at least ${String(RIM)} pixels from the edge, clamped`,
};
