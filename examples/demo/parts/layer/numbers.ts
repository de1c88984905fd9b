/** The numbers of the small layer: whole and small, from a seed, with the visitor's own in their places. */
import type { Edits, ValuesOf } from "../../settings/schema.js";
import { outputSize, type PaddingMode } from "webgpu-conv";
import type { LayerSchema } from "./part.js";

export type LayerSettings = ValuesOf<LayerSchema>;

/** The extents of a layer, and its tensors. */
export interface Layer {
  readonly W: number;
  readonly C: number;
  readonly F: number;
  readonly S: number;
  readonly P: number;
  readonly D: number;
  readonly K: number;
  readonly mode: PaddingMode;
  /** Output extent. */
  readonly O: number;
  /** `[C, W, W]` */
  readonly x: Float32Array;
  /** `[K, C, F, F]` */
  readonly w: Float32Array;
  /** `[K]` */
  readonly b: Float32Array;
  /** `[K, O, O]` */
  readonly dy: Float32Array;
}

export type Numbered = "x" | "w" | "b" | "dy";

/** Where a number is written among the edits: by its place, whatever the extents, so that it outlives a change of them. */
const DIGITS: Readonly<Record<Numbered, number>> = { x: 10, w: 10, b: 10, dy: 20 };

export const editKey = (name: Numbered, place: readonly number[]): number =>
  place.reduce((key, digit) => key * DIGITS[name] + digit, 0);

/** Least and most of the numbers that are made up. */
const RANGES: Readonly<Record<Numbered, readonly [number, number]>> = {
  x: [0, 2],
  w: [-1, 1],
  b: [-1, 1],
  dy: [-1, 2],
};

/** A whole number in the range, always the same for the same seed and place. Mixing as in MurmurHash3's finaliser. */
function madeUp(seed: number, name: Numbered, key: number): number {
  const [least, most] = RANGES[name];
  let mixed = Math.imul(seed, 0x9e3779b1) ^ Math.imul(key + 1, 0x85ebca6b) ^ (name.charCodeAt(0) << 20);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return least + (((mixed ^ (mixed >>> 16)) >>> 0) % (most - least + 1));
}

function fill(name: Numbered, seed: number, edits: Edits, shape: readonly number[]): Float32Array {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return Float32Array.from({ length: size }, (_, index) => {
    const key = editKey(name, placeOf(index, shape));
    return edits.get(key) ?? madeUp(seed, name, key);
  });
}

/** The coordinates of an index into a row-major tensor. */
export function placeOf(index: number, shape: readonly number[]): number[] {
  const place: number[] = [];
  let rest = index;
  for (const extent of [...shape].reverse()) {
    place.unshift(rest % extent);
    rest = Math.floor(rest / extent);
  }
  return place;
}

/** The layer that the settings describe; they must fit. */
export function makeLayer(settings: LayerSettings): Layer {
  const { W, C, F, S, P, D, K, mode, seed } = settings;
  const O = outputSize(W, { kernel: F, stride: S, dilation: D, padding: P });
  return {
    ...{ W, C, F, S, P, D, K, mode, O },
    x: fill("x", seed, settings.x, [C, W, W]),
    w: fill("w", seed, settings.w, [K, C, F, F]),
    b: fill("b", seed, settings.b, [K]),
    dy: fill("dy", seed, settings.dy, [K, O, O]),
  };
}
