/** Batches as they are made: samples fetched, augmented, normalised, put behind one another. */
import { isObject } from "../../base/entries.js";
import { require, show } from "../../base/errors.js";
import { Random } from "../random.js";
import type { Dataset, Sample } from "./dataset.js";
import type { BatchPlan } from "./loaderOptions.js";
import { pause } from "./pause.js";

/** Samples of a dataset, the caller's to keep or change. */
export interface Batch {
  /** Values in the batch's shape, row-major. */
  readonly x: Float32Array;
  /** Samples, channels, height, width. */
  readonly shape: readonly [number, number, number, number];
  /** A label for each sample. */
  readonly labels: Int32Array;
  /** The samples' indices in the dataset. */
  readonly indices: Uint32Array;
  readonly epoch: number;
  /** How many samples of the epoch came before. */
  readonly position: number;
}

/** After how long the page gets its turn, in milliseconds: half of a frame at 60 Hz. */
const SLICE_MILLISECONDS = 8;

/** Where a batch belongs. */
interface Place {
  readonly seed: number;
  readonly epoch: number;
  readonly position: number;
}

/** Makes the batch of some samples. A wrong sample throws an ArgumentError that names its index. */
export async function assemble(dataset: Dataset, plan: BatchPlan, place: Place, indices: Uint32Array): Promise<Batch> {
  const { seed, epoch, position } = place;
  const { shape, classes } = dataset;
  const length = shape[0] * shape[1] * shape[2];
  const x = new Float32Array(indices.length * length);
  const labels = new Int32Array(indices.length);
  const put = (sample: Sample, i: number): void => {
    const index = indices[i];
    require(isObject(sample), () => `sample ${String(index)} is ${show(sample)}; expected { x, label }`);
    const { x: values, label } = sample;
    require(values instanceof Float32Array && values.length === length, () => {
      const has = values instanceof Float32Array ? `${String(values.length)} values` : `x ${show(values)}`;
      return `sample ${String(index)} has ${has}; expected a Float32Array of ${shape.join(" x ")} = ${String(length)}`;
    });
    require(Number.isInteger(label) && label >= 0 && label < classes.length, () =>
      `sample ${String(index)} has label ${show(label)}; expected 0 to ${String(classes.length - 1)}, of ${String(classes.length)} classes`);
    const picture = x.subarray(i * length, (i + 1) * length);
    picture.set(values);
    const random = new Random(seed, [epoch, index]);
    for (const augment of plan.augment) augment(picture, shape, random);
    if (plan.normalise) normalise(picture, plan.normalise);
    labels[i] = label;
  };
  const late: Promise<void>[] = [];
  // Even the first sample waits for a later turn: the caller's own work goes first.
  await pause();
  let begin = performance.now();
  for (let i = 0; i < indices.length; i++) {
    if (performance.now() - begin > SLICE_MILLISECONDS) {
      await pause();
      begin = performance.now();
    }
    const sample = dataset.get(indices[i]);
    if (isPromise(sample)) {
      const arriving = sample.then((arrived) => put(arrived, i));
      // Awaited below, unless another sample fails first.
      arriving.catch(() => undefined);
      late.push(arriving);
    } else put(sample, i);
  }
  await Promise.all(late);
  return { x, shape: [indices.length, ...shape], labels, indices, epoch, position };
}

const isPromise = (sample: Sample | Promise<Sample>): sample is Promise<Sample> => isObject(sample) && "then" in sample;

function normalise(picture: Float32Array, { mean, std }: NonNullable<BatchPlan["normalise"]>): void {
  const pixels = picture.length / mean.length;
  for (let channel = 0; channel < mean.length; channel++) {
    for (let i = channel * pixels; i < (channel + 1) * pixels; i++) {
      picture[i] = (picture[i] - mean[channel]) / std[channel];
    }
  }
}
