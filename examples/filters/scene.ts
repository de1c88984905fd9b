/**
 * A landscape, painted by arithmetic alone, with something for every filter: upright, level and slanted edges,
 * stripes, textures, soft gradients, and pure colours side by side.
 *
 * Only + - * /, floor and square root are used, which IEEE 754 rounds alike everywhere: the picture is the same
 * to the bit on every machine.
 */
import type { Bitmap } from "./pictureFile.js";

export const WIDTH = 384;
export const HEIGHT = 256;
/** Samples a pixel, along each axis, for smooth edges. */
const SAMPLES = 2;

type Colour = readonly [red: number, green: number, blue: number];

/** Part of the picture: its colour at a place, or undefined where it does not cover what lies behind. */
type Part = (x: number, y: number) => Colour | undefined;

const mix = (a: Colour, b: Colour, share: number): Colour => {
  const at = Math.min(1, Math.max(0, share));
  return [a[0] + (b[0] - a[0]) * at, a[1] + (b[1] - a[1]) * at, a[2] + (b[2] - a[2]) * at];
};
const shade = (colour: Colour, factor: number): Colour => [colour[0] * factor, colour[1] * factor, colour[2] * factor];
const distance = (x: number, y: number, toX: number, toY: number): number => {
  return Math.sqrt((x - toX) * (x - toX) + (y - toY) * (y - toY));
};
const inBox = (x: number, y: number, left: number, top: number, right: number, bottom: number): boolean => {
  return x >= left && x < right && y >= top && y < bottom;
};
const fraction = (value: number): number => value - Math.floor(value);

/** A number from 0 to 1 for each lattice point, by integer hashing. */
function lattice(x: number, y: number): number {
  let hash = Math.imul(x, 0x27d4eb2d) ^ Math.imul(y, 0x165667b1);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32;
}

/** Smooth noise from 0 to 1 that changes over a distance of 1. */
function noise(x: number, y: number): number {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const ease = (t: number): number => t * t * (3 - 2 * t);
  const [across, down] = [ease(x - left), ease(y - top)];
  const row = (at: number): number => lattice(left, at) + (lattice(left + 1, at) - lattice(left, at)) * across;
  return row(top) + (row(top + 1) - row(top)) * down;
}

const SUN = { x: 306, y: 52 };

const sky: Part = (x, y) => {
  const air = mix([58, 118, 196], [252, 222, 176], y / 165);
  const toSun = distance(x, y, SUN.x, SUN.y);
  if (toSun < 22) return [255, 246, 206];
  const lit = mix(air, [255, 236, 180], 900 / (900 + toSun * toSun));
  const cloud = 0.65 * noise(x / 46, y / 14) + 0.35 * noise(x / 17 + 40, y / 6);
  return mix(lit, [255, 252, 246], (cloud - 0.58) * 4);
};

const balloon: Part = (x, y) => {
  const [middleX, middleY, radius] = [96, 62, 34];
  if (inBox(x, y, middleX - 6, 112, middleX + 6, 121)) return fraction(y / 3) < 0.5 ? [120, 82, 44] : [92, 60, 30];
  const rope = Math.abs(x - middleX) - (112 - y) * 0.45;
  if (y >= 94 && y < 112 && Math.abs(rope - 5) < 0.7) return [70, 52, 40];
  const down = y - middleY;
  // Below its middle the balloon narrows to the basket.
  const wide = down < 0 ? radius : radius - (down * down) / 62;
  if (wide <= 0 || down * down > radius * radius) return undefined;
  const halfWidth = Math.sqrt(radius * radius - down * down) * (wide / radius);
  if (Math.abs(x - middleX) >= halfWidth) return undefined;
  const gores: readonly Colour[] = [
    [214, 36, 44],
    [246, 206, 52],
    [36, 92, 204],
    [248, 248, 240],
    [40, 156, 76],
  ];
  const gore = Math.floor(((x - middleX) / halfWidth + 1) * 3.5);
  return shade(gores[gore % gores.length], 1.08 - 0.4 * fraction((x - middleX + halfWidth) / (2 * halfWidth)));
};

const mountains: Part = (x, y) => {
  const ridge = 104 + 54 * noise(x / 58, 3) + 14 * noise(x / 13, 9) - 30 * noise(x / 120, 21);
  if (y < ridge) return undefined;
  const snow = y < ridge + 0.4 * (124 - ridge) + 9 * noise(x / 5, y / 5) - 4 && ridge < 124;
  const rock = mix([104, 112, 146], [168, 178, 196], (y - ridge) / 60);
  return snow ? [240, 244, 250] : shade(rock, 0.86 + 0.22 * noise(x / 6 + y / 9, y / 4));
};

const hill: Part = (x, y) => {
  const top = 150 + ((x - 250) * (x - 250)) / 2600;
  if (y < top) return undefined;
  return shade(mix([118, 158, 70], [70, 120, 54], (y - top) / 40), 0.75 + 0.5 * noise(x / 3, y / 2));
};

/** Furrows that run together at a point on the horizon. */
const field: Part = (x, y) => {
  if (y < 186 + x / 24) return undefined;
  const furrow = fraction(((x - 150) / (y - 150)) * 5.5);
  const earth: Colour = furrow < 0.5 ? [146, 104, 62] : [196, 178, 84];
  return shade(earth, 0.82 + 0.3 * noise(x / 2, y / 2));
};

const house: Part = (x, y) => {
  if (inBox(x, y, 212, 128, 222, 150)) return fraction(y / 4) < 0.25 ? [216, 196, 180] : [150, 72, 56];
  const slope = Math.abs(x - 190) * 0.72;
  if (y >= 128 + slope && y < 162 && Math.abs(x - 190) < 48) {
    return fraction((y - slope / 12) / 5) < 0.3 ? [122, 34, 26] : [178, 58, 42];
  }
  if (!inBox(x, y, 150, 162, 230, 214)) return undefined;
  if (inBox(x, y, 182, 182, 200, 214)) return inBox(x, y, 195, 197, 198, 200) ? [240, 220, 120] : [42, 78, 120];
  for (const left of [157, 206]) {
    if (!inBox(x, y, left, 172, left + 18, 192)) continue;
    const frame = Math.abs(x - left - 9) < 1 || Math.abs(y - 182) < 1;
    const rim = !inBox(x, y, left + 2, 174, left + 16, 190);
    return frame || rim ? [250, 250, 250] : [92, 132, 160];
  }
  return shade([246, 232, 200], 1 - (x - 150) / 400);
};

const barn: Part = (x, y) => {
  const roof = 158 + Math.abs(x - 300) * 0.5;
  if (y >= roof && y < roof + 6 && Math.abs(x - 300) < 46) return [74, 70, 78];
  if (y < roof || !inBox(x, y, 260, 150, 340, 216)) return undefined;
  if (inBox(x, y, 284, 190, 316, 216)) {
    const [across, down] = [(x - 284) / 32, (y - 190) / 26];
    const brace = Math.abs(across - down) < 0.08 || Math.abs(across + down - 1) < 0.08;
    const rim = !inBox(x, y, 287, 193, 313, 216);
    return brace || rim ? [244, 240, 232] : [110, 30, 28];
  }
  return fraction(x / 5) < 0.18 ? [96, 24, 22] : [166, 46, 38];
};

/** Two trees with leaves, one behind the other. */
const trees: Part = (x, y) => {
  for (const [middle, top, size] of [
    [44, 160, 27],
    [362, 172, 19],
  ]) {
    const crown = distance(x, (y - top) * 0.85, middle, 0) + 7 * noise(x / 4, y / 4);
    if (crown < size) {
      const leaf = noise(x / 2.5, y / 2.5);
      return mix([22, 66, 30], [112, 164, 58], leaf * 1.1 - (x - middle) / 90);
    }
    if (inBox(x, y, middle - 3, top, middle + 4, top + 56)) return shade([96, 68, 44], 0.7 + 0.5 * noise(x, y / 8));
  }
  return undefined;
};

const fence: Part = (x, y) => {
  const along = fraction(x / 16) * 16;
  const tip = 216 + Math.abs(along - 4) * 1.2;
  if (along < 8 && y >= tip && y < 252) return along < 6.5 ? [250, 250, 246] : [186, 188, 192];
  return inBox(x, y, 0, 224, WIDTH, 228) || inBox(x, y, 0, 240, WIDTH, 244) ? [226, 226, 222] : undefined;
};

/** Tulips between the pickets. */
const flowers: Part = (x, y) => {
  const index = Math.floor(x / 16);
  const middle = index * 16 + 12;
  const top = 232 + 8 * lattice(index, 77);
  const petals: readonly Colour[] = [
    [226, 30, 60],
    [250, 190, 30],
    [150, 60, 190],
  ];
  if (distance(x, y * 0.8, middle, top * 0.8) < 3.6) return petals[index % petals.length];
  return Math.abs(x - middle) < 0.9 && y > top ? [36, 120, 44] : undefined;
};

/** Front to back: the first part that covers a place gives its colour. */
const PARTS: readonly Part[] = [fence, flowers, trees, barn, house, field, hill, mountains, balloon, sky];

function colourAt(x: number, y: number): Colour {
  for (const part of PARTS) {
    const colour = part(x, y);
    if (colour) return colour;
  }
  return [0, 0, 0];
}

/** The picture in 8-bit RGB. */
export function paintScene(): Bitmap {
  const data = new Uint8Array(3 * WIDTH * HEIGHT);
  const samples = SAMPLES * SAMPLES;
  for (let pixel = 0; pixel < WIDTH * HEIGHT; pixel++) {
    const sum = [0, 0, 0];
    for (let sample = 0; sample < samples; sample++) {
      const x = (pixel % WIDTH) + ((sample % SAMPLES) + 0.5) / SAMPLES;
      const y = Math.floor(pixel / WIDTH) + (Math.floor(sample / SAMPLES) + 0.5) / SAMPLES;
      colourAt(x, y).forEach((value, channel) => (sum[channel] += value));
    }
    sum.forEach((value, channel) => {
      data[3 * pixel + channel] = Math.min(255, Math.max(0, Math.round(value / samples)));
    });
  }
  return { width: WIDTH, height: HEIGHT, channels: 3, data };
}
