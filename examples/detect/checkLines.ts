/** Whether boxes are where the lines of text are. */
import { type Box, intersectionOverUnion } from "./box.js";
import type { TextBox } from "./findBoxes.js";
import type { TextLine } from "./textPicture.js";

/** A box is a line's from here on, as benchmarks of text detection count (ICDAR's "IoU"). */
export const LEAST_OVERLAP = 0.5;

export interface FoundLine {
  readonly line: TextLine;
  /** The box that has most in common with it; undefined where none has anything. */
  readonly box: TextBox | undefined;
  /** Intersection over union of both. */
  readonly overlap: number;
  readonly isFound: boolean;
}

export interface LinesCheck {
  readonly lines: readonly FoundLine[];
  /** Boxes that are no line's. */
  readonly strays: readonly Box[];
  /** Whether each line is found, and nothing else. */
  readonly pass: boolean;
}

export function checkLines(lines: readonly TextLine[], boxes: readonly TextBox[]): LinesCheck {
  const found = lines.map((line): FoundLine => {
    const overlaps = boxes.map((box) => intersectionOverUnion(line.box, box));
    const overlap = Math.max(0, ...overlaps);
    const box = overlap > 0 ? boxes[overlaps.indexOf(overlap)] : undefined;
    return { line, box, overlap, isFound: overlap >= LEAST_OVERLAP };
  });
  const taken = new Set(found.flatMap(({ box, isFound }) => (isFound && box ? [box] : [])));
  const strays = boxes.filter((box) => !taken.has(box));
  return { lines: found, strays, pass: strays.length === 0 && found.every(({ isFound }) => isFound) };
}
