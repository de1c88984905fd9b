/** What training takes, and what was taken. */
import type { Engine } from "webgpu-conv";
import { type Block, blocksOf, countsFor, voxelsOf } from "./blocks.js";
import { CLASSES, HALO } from "./network.js";
import type { Extents } from "./phantom.js";

const FLOAT_BYTES = 4;
/**
 * Values of all channels that are there at once for a voxel: what goes into the parts, the layers of one part, and gradients; with what
 * rounding to the pool's size classes takes, an eighth.
 */
const LAYERS_AT_ONCE = 11;
/** Of a single number a voxel: the volume, its labels; logits and their gradient. */
const [INPUTS, LOGITS] = [2, 2];
/** Weights, their gradients, sums of these, the optimizer's averages, parts of sums: of 21 channels, and to spare. */
const FIXED_BYTES = 2 ** 22;

/** More does not fit. */
export class MemoryError extends Error {
  override readonly name = "MemoryError";
}

/** Bytes of the device that a step of training takes for a block whose crop has so many voxels, at most. */
export const trainingBytes = (channels: number, voxels: number): number =>
  FIXED_BYTES + voxels * FLOAT_BYTES * (LAYERS_AT_ONCE * channels + LOGITS * CLASSES + INPUTS);

/**
 * The blocks of a volume for steps of training within so many bytes.
 *
 * @throws MemoryError where the least crop takes more
 */
export function blocksWithin(extents: Extents, channels: number, bytes: number): readonly Block[] {
  const perVoxel = trainingBytes(channels, 1) - FIXED_BYTES;
  const counts = countsFor(extents, HALO, Math.floor((bytes - FIXED_BYTES) / perVoxel));
  if (counts) return blocksOf(extents, counts, HALO);
  const [depth, height, width] = extents.map((extent) => Math.min(extent, 1 + 2 * HALO));
  const least = Math.ceil(trainingBytes(channels, voxelsOf([depth, height, width])) / 2 ** 20);
  throw new MemoryError(
    `a step takes ${String(least)} MiB for a single voxel, with all ${[depth, height, width].join(" x ")} that it sees and ${String(channels)} channels; ` +
      `--mib allows ${String(Math.floor(bytes / 2 ** 20))}: expected --mib ${String(least)} or more`,
  );
}

/** The most memory that an engine had on its device, in use and kept to be used again, whenever it was looked at. */
export class PeakMemory {
  readonly #engine: Engine;
  readonly #before: number;
  bytes = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#before = engine.memory().liveBytes;
    this.look();
  }

  look(): void {
    const { liveBytes, pooledBytes } = this.#engine.memory();
    this.bytes = Math.max(this.bytes, liveBytes + pooledBytes - this.#before);
  }
}
