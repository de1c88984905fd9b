/**
 * Digits and shapes as strokes: line segments, in a square from -1 to 1 with x to the right and y down. Curves are chords of
 * ellipses.
 */
import { cosineOfPi, sineOfPi } from "../elementary.js";

/** Points that a pen visits without being lifted: x and y in turn. */
type Stroke = readonly number[];

/** How many chords a whole ellipse has. */
const CHORDS = 20;

/** An arc of an ellipse, from one angle to another in units of pi: 0 is right, 0.5 down, 1 left, 1.5 up. */
function arc(x: number, y: number, radiusX: number, radiusY: number, from: number, to: number): number[] {
  const chords = Math.max(1, Math.round((Math.abs(to - from) / 2) * CHORDS));
  return Array.from({ length: chords + 1 }, (_, i) => from + ((to - from) * i) / chords).flatMap((angle) => [
    x + radiusX * cosineOfPi(angle),
    y + radiusY * sineOfPi(angle),
  ]);
}

const ellipse = (x: number, y: number, radiusX: number, radiusY: number): Stroke => arc(x, y, radiusX, radiusY, 0, 2);

const DIGITS: Readonly<Record<string, readonly Stroke[]>> = {
  "0": [ellipse(0, 0, 0.6, 1)],
  "1": [[-0.35, -0.6, 0.05, -1, 0.05, 1]],
  "2": [[...arc(0, -0.45, 0.55, 0.55, 1, 2.25), -0.55, 1, 0.6, 1]],
  "3": [[...arc(-0.05, -0.5, 0.55, 0.5, 1.1, 2.5), ...arc(-0.05, 0.5, 0.6, 0.5, 1.5, 2.9)]],
  "4": [[0.3, 1, 0.3, -1, -0.6, 0.35, 0.65, 0.35]],
  "5": [[0.5, -1, -0.42, -1, -0.46, -0.08, ...arc(0, 0.35, 0.58, 0.62, 1.25, 2.8)]],
  "6": [[0.35, -1, -0.1, -0.75, -0.4, -0.3, -0.55, 0.3], ellipse(0, 0.42, 0.55, 0.58)],
  "7": [[-0.55, -1, 0.55, -1, -0.15, 1]],
  "8": [ellipse(0, -0.5, 0.48, 0.48), ellipse(0, 0.5, 0.58, 0.5)],
  "9": [ellipse(0, -0.42, 0.55, 0.58), [0.55, -0.35, 0.5, 0.25, 0.3, 0.7, -0.1, 1]],
};

/** Five points of a circle, each joined to the one after the next. */
const STAR: Stroke = [0, 2, 4, 1, 3, 0].flatMap((i) => [
  0.95 * cosineOfPi(-0.5 + (2 * i) / 5),
  0.95 * sineOfPi(-0.5 + (2 * i) / 5),
]);

const SHAPES: Readonly<Record<string, readonly Stroke[]>> = {
  circle: [ellipse(0, 0, 0.85, 0.85)],
  square: [[-0.75, -0.75, 0.75, -0.75, 0.75, 0.75, -0.75, 0.75, -0.75, -0.75]],
  triangle: [[0, -0.9, 0.9, 0.7, -0.9, 0.7, 0, -0.9]],
  plus: [
    [-0.9, 0, 0.9, 0],
    [0, -0.9, 0, 0.9],
  ],
  cross: [
    [-0.7, -0.7, 0.7, 0.7],
    [-0.7, 0.7, 0.7, -0.7],
  ],
  star: [STAR],
  arrow: [
    [0, 0.9, 0, -0.9],
    [-0.55, -0.3, 0, -0.9, 0.55, -0.3],
  ],
  moon: [[...arc(0, 0, 0.9, 0.9, 0.5, 1.5), ...arc(0, 0, 0.4, 0.9, 1.5, 0.5)]],
  zigzag: [[-0.8, -0.9, 0.8, -0.5, -0.8, 0.1, 0.8, 0.5, -0.8, 0.9]],
  ring: [ellipse(0, 0, 0.9, 0.9), ellipse(0, 0, 0.4, 0.4)],
};

/** What can be drawn. */
export const GLYPH_SETS = { digits: DIGITS, shapes: SHAPES } as const;
/** The name of a set of glyphs. */
export type GlyphSet = keyof typeof GLYPH_SETS;

/** The segments of strokes: x and y of one end and of the other, in turn. */
export function segmentsOf(strokes: readonly Stroke[]): Float64Array {
  const segments: number[] = [];
  for (const stroke of strokes) {
    for (let i = 2; i < stroke.length; i += 2) segments.push(...stroke.slice(i - 2, i + 2));
  }
  return Float64Array.from(segments);
}
