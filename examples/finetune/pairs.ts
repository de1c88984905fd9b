/** What the network sees beside what it should give: photographs reduced, and patches of both. */
import type { Random } from "webgpu-conv/nn";
import { MaterialError } from "./materialError.js";
import { crop, FACTOR, type Photograph, resize } from "./photograph.js";

/** A photograph, and what is left of it. */
export interface Pair {
  readonly large: Photograph;
  /** `FACTOR` times smaller along each side. */
  readonly small: Photograph;
}

/** Cuts off what is beyond a multiple of the factor, and reduces the rest. */
export function pairOf(photograph: Photograph): Pair {
  const [width, height] = [photograph.width, photograph.height].map((extent) => Math.floor(extent / FACTOR));
  const large = crop(photograph, 0, 0, width * FACTOR, height * FACTOR);
  return { large, small: resize(large, width, height) };
}

/** A patch of both, from a place of the smaller one. */
function patchOf({ large, small }: Pair, left: number, top: number, extent: number): Pair {
  return {
    large: crop(large, left * FACTOR, top * FACTOR, extent * FACTOR, extent * FACTOR),
    small: crop(small, left, top, extent, extent),
  };
}

/** @throws MaterialError */
export function requireRoom(pairs: readonly Pair[], extent: number): void {
  for (const { large, small } of pairs) {
    if (Math.min(small.width, small.height) >= extent) continue;
    const least = String(extent * FACTOR);
    throw new MaterialError(
      `${large.name} is ${String(large.width)} x ${String(large.height)}; expected at least ${least} x ${least}, a patch`,
    );
  }
}

/** A patch from anywhere in a photograph. */
export function randomPatch(pair: Pair, extent: number, random: Random): Pair {
  const [left, top] = [pair.small.width, pair.small.height].map((size) => random.below(size - extent + 1));
  return patchOf(pair, left, top, extent);
}

/** `count` times `count` patches of a photograph, evenly spread. */
export function spreadPatches(pair: Pair, extent: number, count: number): Pair[] {
  const places = (size: number): number[] =>
    Array.from({ length: count }, (_, i) => Math.round(((size - extent) * (i + 0.5)) / count));
  return places(pair.small.height).flatMap((top) =>
    places(pair.small.width).map((left) => patchOf(pair, left, top, extent)),
  );
}

/** Values of several photographs of one size, one after the other. */
export function batchOf(photographs: readonly Photograph[]): Float32Array {
  const [{ values }] = photographs;
  const batch = new Float32Array(photographs.length * values.length);
  photographs.forEach((photograph, i) => batch.set(photograph.values, i * values.length));
  return batch;
}
