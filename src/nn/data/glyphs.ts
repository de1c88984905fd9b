/** Pictures of digits and shapes that follow from a seed: a task for a small network wherever it runs, with no download. */
import { require, show } from "../../base/errors.js";
import { requireNumber } from "../../base/numbers.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { requireWord } from "../../base/spelling.js";
import { requireInteger } from "../../problem/geometry.js";
import { cosineOfPi, sineOfPi } from "../elementary.js";
import { Random } from "../random.js";
import { type Dataset, requireIndex, type Sample } from "./dataset.js";
import { requireChannels } from "./pictures.js";
import { GLYPH_SETS, type GlyphSet, segmentsOf } from "./strokes.js";

/** Which pictures {@link glyphs} draws. */
export interface GlyphOptions {
  /** How many pictures there are. */
  readonly count: number;
  /** A whole number, from 0 to 2^53 - 1; 0 by default. Pictures of different seeds have nothing in common but the task. */
  readonly seed?: number | undefined;
  /** Ten digits (default) or ten shapes. */
  readonly set?: GlyphSet | undefined;
  /** Height and width in pixels, from 8 to 1,024; 28 by default. */
  readonly extent?: number | undefined;
  /** Gray (1, by default) or red, green and blue (3). */
  readonly channels?: 1 | 3 | undefined;
  /** The deviation of the noise at each value, from 0 on; 0.1 by default. */
  readonly noise?: number | undefined;
}
const GLYPH_KEYS = optionKeys<GlyphOptions>(
  { count: 1, seed: 1, set: 1, extent: 1, channels: 1, noise: 1 },
  { number: "count" },
);

/** Beside the streams of loaders, which are of an epoch and an index. */
const STREAM = 2 ** 32 - 2;

/** What a picture varies in; lengths in half extents of the picture. */
const SCALE = [0.5, 0.8] as const;
const STRETCH = 0.15;
const SLANT = 0.25;
/** In units of pi: 18 degrees either way. */
const ROTATION = 0.1;
/** Between the glyph's square, before it is turned, and the picture's edge. */
const MARGIN = 0.08;
const THICKNESS = [0.1, 0.26] as const;
/** The least thickness in pixels: thinner strokes would be too faint. */
const LEAST_PIXELS = 1;
/** Between glyph and ground, of the channel that tells them apart best. */
const LEAST_CONTRAST = 0.4;

/**
 * Pictures of ten digits or shapes, drawn as strokes with soft edges: moved, turned, stretched, slanted, thick or thin, light on
 * dark or dark on light, faint or not, with noise. Values are from 0 to 1. Picture `i` shows class `i % 10`, and depends on the seed,
 * on `i` and on the options alone: it has the same bits on every platform.
 *
 * @throws ArgumentError for options out of their ranges
 */
export function glyphs(options: GlyphOptions): Dataset {
  requireOptions(options, GLYPH_KEYS);
  const { count, seed = 0, set = "digits", extent = 28, channels = 1, noise = 0.1 } = options;
  requireInteger("count", count, 1);
  require(count < STREAM, () => `count is ${show(count)}; expected less than 2^32 - 2`);
  requireWord("set", set, Object.keys(GLYPH_SETS) as GlyphSet[]);
  require(Number.isInteger(extent) && extent >= 8 && extent <= 1024, () =>
    `extent is ${show(extent)}; expected a whole number from 8 to 1,024`);
  requireChannels(channels);
  requireNumber("noise", noise);
  new Random(seed); // Checks the seed.
  const forms = Object.values(GLYPH_SETS[set]).map(segmentsOf);
  return {
    size: count,
    shape: [channels, extent, extent],
    // Object.keys has the digits in their order, too.
    classes: Object.keys(GLYPH_SETS[set]),
    get(index: number): Sample {
      requireIndex(index, count);
      const random = new Random(seed, [index, STREAM]);
      const label = index % forms.length;
      const segments = place(forms[label], extent, random);
      const thickness = Math.max(LEAST_PIXELS, (random.uniform(...THICKNESS) * extent) / 2);
      return { x: paint(coverage(segments, thickness, extent), channels, noise, random), label };
    },
  };
}

/** Moves a form into a picture, in pixels. */
function place(form: Float64Array, extent: number, random: Random): Float64Array {
  const scale = random.uniform(...SCALE);
  const scaleX = scale * random.uniform(1 - STRETCH, 1 + STRETCH);
  const slant = random.uniform(-SLANT, SLANT);
  const angle = random.uniform(-ROTATION, ROTATION);
  const [cosine, sine] = [cosineOfPi(angle), sineOfPi(angle)];
  const room = 1 - scale - MARGIN;
  const centreX = random.uniform(-room, room);
  const centreY = random.uniform(-room, room);
  return form.map((_, i) => {
    const y = scale * form[i | 1];
    const x = scaleX * form[i & ~1] - slant * y;
    const moved = i % 2 === 0 ? centreX + cosine * x - sine * y : centreY + sine * x + cosine * y;
    return ((moved + 1) * extent) / 2;
  });
}

/** How much of each pixel a pen of some thickness covers, from 0 to 1, by the distance of its centre from the nearest segment. */
function coverage(segments: Float64Array, thickness: number, extent: number): Float64Array {
  const covered = new Float64Array(extent * extent);
  const reach = thickness / 2 + 0.5;
  for (let s = 0; s < segments.length; s += 4) {
    const [x0, y0, x1, y1] = segments.subarray(s, s + 4);
    const [dx, dy] = [x1 - x0, y1 - y0];
    const squaredLength = Math.max(dx * dx + dy * dy, Number.MIN_VALUE);
    const [firstX, endX] = pixelsWithin(Math.min(x0, x1) - reach, Math.max(x0, x1) + reach, extent);
    const [firstY, endY] = pixelsWithin(Math.min(y0, y1) - reach, Math.max(y0, y1) + reach, extent);
    for (let row = firstY; row < endY; row++) {
      for (let column = firstX; column < endX; column++) {
        const px = column + 0.5 - x0;
        const py = row + 0.5 - y0;
        const along = Math.min(1, Math.max(0, (px * dx + py * dy) / squaredLength));
        const [ex, ey] = [px - along * dx, py - along * dy];
        const share = Math.min(1, reach - Math.sqrt(ex * ex + ey * ey));
        const at = row * extent + column;
        if (share > covered[at]) covered[at] = share;
      }
    }
  }
  return covered;
}

/** The first pixel that may lie between two positions, and the one after the last. */
const pixelsWithin = (begin: number, end: number, extent: number): [number, number] => [
  Math.max(0, Math.floor(begin)),
  Math.min(extent, Math.ceil(end)),
];

/** Gives glyph and ground a shade in each channel, and adds the noise. */
function paint(covered: Float64Array, channels: number, noise: number, random: Random): Float32Array {
  const pixels = covered.length;
  const x = new Float32Array(channels * pixels);
  const clear = random.below(channels);
  for (let channel = 0; channel < channels; channel++) {
    const contrast = random.uniform(channel === clear ? LEAST_CONTRAST : 0, 1);
    const darker = random.uniform(0, 1 - contrast);
    const isLight = random.below(2) === 1;
    const ground = isLight ? darker : darker + contrast;
    const difference = isLight ? contrast : -contrast;
    for (let i = 0; i < pixels; i++) {
      const value = ground + difference * covered[i] + (noise > 0 ? random.normal(0, noise) : 0);
      x[channel * pixels + i] = Math.min(1, Math.max(0, value));
    }
  }
  return x;
}
