/** A picture with lines of text, drawn by integers alone: the same to the bit on every machine. */
import { drawText, GLYPH_HEIGHT, GLYPH_WIDTH } from "../filters/font.js";
import type { Picture } from "../filters/pictureFile.js";
import type { Box } from "./box.js";

type Colour = readonly [red: number, green: number, blue: number];

/** A line of text. */
export interface TextLine {
  readonly text: string;
  /** What its letters cover, from the first's left edge to the last's right one. */
  readonly box: Box;
}

export interface TextPicture {
  readonly picture: Picture;
  readonly lines: readonly TextLine[];
}

const [WIDTH, HEIGHT] = [480, 320];

interface Placed {
  readonly text: string;
  readonly left: number;
  readonly top: number;
  /** Pixels of the picture for one of the font. */
  readonly scale: number;
  readonly ink: Colour;
}

const [DARK, PALE, RED]: readonly Colour[] = [
  [24, 28, 44],
  [244, 240, 226],
  [168, 24, 36],
];

/** Lines of different heights, from 15 to 45 pixels, dark on light and light on dark. */
const LINES: readonly Placed[] = [
  { text: "convolution", left: 40, top: 24, scale: 9, ink: DARK },
  { text: "finds lines of text", left: 28, top: 92, scale: 5, ink: DARK },
  { text: "in pictures", left: 290, top: 134, scale: 4, ink: RED },
  { text: "large", left: 36, top: 190, scale: 8, ink: PALE },
  { text: "or small", left: 330, top: 196, scale: 4, ink: PALE },
  { text: "light or dark", left: 210, top: 244, scale: 5, ink: PALE },
  { text: "one box for each", left: 24, top: 286, scale: 3, ink: PALE },
];
/** Columns of the font between words, narrower than its blank: the detector takes words that are far apart for lines. */
const WORD_GAP = 3;
/** Above this row the background is light, below it is dark. */
const HORIZON = 168;

function backgroundAt(x: number, y: number): Colour {
  const shade = ((x >> 3) + (y >> 2)) >> 2;
  return y < HORIZON ? [236 - shade, 232 - shade, 214 - (shade >> 1)] : [30 + shade, 52 + shade, 78 + shade];
}

export function drawTextPicture(): TextPicture {
  const pixels = WIDTH * HEIGHT;
  const planes = new Float32Array(3 * pixels);
  const put = (x: number, y: number, colour: Colour): void =>
    colour.forEach((value, plane) => (planes[plane * pixels + y * WIDTH + x] = value / 255));
  for (let i = 0; i < pixels; i++)
    put(i % WIDTH, Math.floor(i / WIDTH), backgroundAt(i % WIDTH, Math.floor(i / WIDTH)));
  const lines = LINES.map(({ text, left, top, scale, ink }): TextLine => {
    let right = left;
    for (const word of text.split(" ")) {
      const start = right === left ? left : right + WORD_GAP * scale;
      drawText(word, (x, y) => {
        for (let i = 0; i < scale * scale; i++)
          put(start + x * scale + (i % scale), top + y * scale + Math.floor(i / scale), ink);
      });
      // There is one column between letters, and none after the last.
      right = start + ((GLYPH_WIDTH + 1) * word.length - 1) * scale;
    }
    return { text, box: { left, top, right, bottom: top + GLYPH_HEIGHT * scale } };
  });
  return { picture: { width: WIDTH, height: HEIGHT, planes }, lines };
}
