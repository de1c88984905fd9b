/** Options of a loader, read once. */
import { require, show } from "../../base/errors.js";
import { listOf } from "../../base/list.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { requireInteger } from "../../problem/geometry.js";
import { readPerChannel } from "../../problem/images.js";
import { Random } from "../random.js";
import type { Augmentation } from "./augment.js";
import type { Dataset } from "./dataset.js";

/** Values `(x - mean) / std`, by channel or the same for all. */
export interface Normalisation {
  readonly mean?: number | readonly number[] | undefined;
  readonly std?: number | readonly number[] | undefined;
}
const NORMALISATION_KEYS = optionKeys<Normalisation>({ mean: 1, std: 1 });

/** How a loader gives out its dataset. */
export interface DataLoaderOptions {
  readonly batchSize: number;
  /** Whether each epoch has an order of its own, drawn by the seed; true by default. */
  readonly shuffle?: boolean | undefined;
  /** What orders and augmentation follow from; 0 by default. */
  readonly seed?: number | undefined;
  /** Whether the last batch of an epoch is left out where it is smaller than the others; false by default. */
  readonly dropLast?: boolean | undefined;
  /** Changes of each picture, one after the other. */
  readonly augment?: readonly Augmentation[] | undefined;
  /** What is done with values after that. */
  readonly normalise?: Normalisation | undefined;
  /** How many batches are made ahead; 2 by default, 0 for none. */
  readonly prefetch?: number | undefined;
}
const LOADER_KEYS = optionKeys<DataLoaderOptions>(
  { batchSize: 1, shuffle: 1, seed: 1, dropLast: 1, augment: 1, normalise: 1, prefetch: 1 },
  { number: "batchSize" },
);

/** Options with all their defaults. */
export interface BatchPlan {
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly seed: number;
  readonly dropLast: boolean;
  readonly augment: readonly Augmentation[];
  /** One of each for each channel; undefined where values stay as they are. */
  readonly normalise: { readonly mean: readonly number[]; readonly std: readonly number[] } | undefined;
  readonly prefetch: number;
}

/** Indices up to here are streams of a generator's; those beyond have other uses. */
const MOST_SAMPLES = 2 ** 32 - 16;

export function readLoaderOptions(dataset: Dataset, options: DataLoaderOptions): BatchPlan {
  require(typeof dataset === "object" && (dataset as unknown) !== null && typeof dataset.get === "function", () =>
    `dataset is ${show(dataset)}; expected { size, shape, classes, get }, such as glyphs({ count: 1000 })`);
  const { size, shape, classes } = dataset;
  require((listOf(classes) ?? []).length > 0, () => `dataset.classes is ${show(classes)}; expected a list of names`);
  requireInteger("dataset.size", size, 1);
  require(size <= MOST_SAMPLES, () => `dataset.size is ${show(size)}; expected at most 2^32 - 16`);
  const sizes: readonly unknown[] = listOf(shape) ?? [];
  require(sizes.length === 3 && sizes.every((extent) => Number.isSafeInteger(extent) && (extent as number) >= 1), () =>
    `dataset.shape is ${show(shape)}; expected [channels, height, width]`);
  requireOptions(options, LOADER_KEYS);
  const { batchSize, shuffle = true, seed = 0, dropLast = false, augment = [], normalise, prefetch = 2 } = options;
  requireInteger("batchSize", batchSize, 1);
  require(!dropLast || batchSize <= size, () =>
    `batchSize is ${show(batchSize)}; expected at most the dataset's ${String(size)} samples where dropLast leaves out smaller batches`);
  requireInteger("prefetch", prefetch, 0);
  const changes: readonly unknown[] = listOf(augment) ?? [augment];
  require(changes.every((change) => typeof change === "function"), () =>
    `augment is ${show(augment)}; expected a list of functions, such as randomCrop({ padding: 2 })`);
  new Random(seed); // Checks the seed.
  const read = normalise === undefined ? undefined : readNormalisation(normalise, shape[0]);
  return { batchSize, shuffle, seed, dropLast, augment: [...augment], normalise: read, prefetch };
}

function readNormalisation(normalise: Normalisation, channels: number): NonNullable<BatchPlan["normalise"]> {
  requireOptions(normalise, NORMALISATION_KEYS, "normalise");
  const mean = readPerChannel("normalise.mean", normalise.mean ?? 0, channels);
  const std = readPerChannel("normalise.std", normalise.std ?? 1, channels);
  require(std.every((value) => value !== 0), () => `normalise.std is ${show(normalise.std)}; expected no zero in it`);
  return { mean, std };
}
