/** How near enlarged patches are to what was reduced. */
import type { Engine } from "webgpu-conv";
import type { Module } from "webgpu-conv/nn";
import { batchOf, type Pair } from "./pairs.js";
import { CHANNELS, resize, toByte } from "./photograph.js";

/**
 * Peak signal-to-noise ratio in decibels, `10 log10(255^2 / mean of (a - b)^2)` over all values of all patches, after both were rounded
 * to whole numbers from 0 to 255, as a file has them.
 */
export function psnr(enlarged: Float32Array, patches: readonly Pair[]): number {
  const expected = batchOf(patches.map(({ large }) => large));
  let sum = 0;
  for (const [i, value] of expected.entries()) sum += (toByte(enlarged[i]) - value) ** 2;
  return 10 * Math.log10((255 ** 2 * expected.length) / sum);
}

/** What the network makes of patches, all of one size, one after the other. */
export async function enlarge(engine: Engine, network: Module, patches: readonly Pair[]): Promise<Float32Array> {
  const [{ width, height }] = patches.map(({ small }) => small);
  using x = engine.tensor(batchOf(patches.map(({ small }) => small)), [patches.length, height, width, CHANNELS]);
  using y = network.forward(x);
  return await y.data();
}

/** What bicubic interpolation makes of them. */
export const enlargeBicubic = (patches: readonly Pair[]): Float32Array =>
  batchOf(patches.map(({ small, large }) => resize(small, large.width, large.height)));
