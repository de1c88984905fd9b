/** Changes of pictures while they are loaded: seeded, so that a sample of an epoch is the same in whatever order samples come. */
import { require, show } from "../../base/errors.js";
import { requireFinite } from "../../base/numbers.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { requireInteger } from "../../problem/geometry.js";
import type { Random } from "../random.js";
import type { SampleShape } from "./dataset.js";
import { LUMA } from "./pictures.js";

/**
 * Changes a picture in place.
 *
 * @param x values `[channels, height, width]`, from 0 to 1
 * @param random numbers of the sample's own in this epoch
 */
export type Augmentation = (x: Float32Array, shape: SampleShape, random: Random) => void;

/** What {@link randomCrop} takes. */
export interface RandomCropOptions {
  /** By how many pixels a picture is padded on each side before it is cropped to its size. */
  readonly padding: number;
  /** The value of the padding; 0 by default. */
  readonly fill?: number | undefined;
}
const CROP_KEYS = optionKeys<RandomCropOptions>({ padding: 1, fill: 1 }, { number: "padding" });

/** Moves a picture by up to `padding` pixels along both axes, all moves equally likely: torchvision's RandomCrop of the same size. */
export function randomCrop(options: RandomCropOptions): Augmentation {
  requireOptions(options, CROP_KEYS);
  const { padding, fill = 0 } = options;
  requireInteger("padding", padding, 0);
  requireFinite("fill", fill);
  return (x, [channels, height, width], random) => {
    const down = random.below(2 * padding + 1) - padding;
    const right = random.below(2 * padding + 1) - padding;
    const source = x.slice();
    x.fill(fill);
    const [from, to] = [Math.max(0, right), Math.min(width, width + right)];
    for (let channel = 0; from < to && channel < channels; channel++) {
      for (let row = Math.max(0, down); row < Math.min(height, height + down); row++) {
        const line = (channel * height + row) * width;
        const origin = line - down * width - right;
        x.set(source.subarray(origin + from, origin + to), line + from);
      }
    }
  };
}

/** Mirrors a picture left to right with a probability, half by default: torchvision's RandomHorizontalFlip. */
export function horizontalFlip(probability = 0.5): Augmentation {
  require(probability >= 0 && probability <= 1, () => `probability is ${show(probability)}; expected 0 to 1`);
  return (x, [channels, height, width], random) => {
    if (random.uniform() >= probability) return;
    for (let row = 0; row < channels * height; row++) x.subarray(row * width, (row + 1) * width).reverse();
  };
}

/** What {@link jitter} takes. */
export interface JitterOptions {
  /** Values are multiplied by 1 - brightness to 1 + brightness; 0 (default) leaves them. */
  readonly brightness?: number | undefined;
  /** Differences from the picture's mean are multiplied by 1 - contrast to 1 + contrast; 0 (default) leaves them. */
  readonly contrast?: number | undefined;
}
const JITTER_KEYS = optionKeys<JitterOptions>({ brightness: 1, contrast: 1 });

/** Changes brightness, then contrast, and clips to 0 to 1 after each: torchvision's ColorJitter, in that order. */
export function jitter(options: JitterOptions): Augmentation {
  requireOptions(options, JITTER_KEYS);
  const { brightness = 0, contrast = 0 } = options;
  for (const [name, value] of Object.entries({ brightness, contrast })) {
    require(value >= 0 && value <= 1, () => `${name} is ${show(value)}; expected 0 to 1`);
  }
  return (x, shape, random) => {
    scaleAbout(x, 0, random.uniform(1 - brightness, 1 + brightness));
    scaleAbout(x, grayMean(x, shape), random.uniform(1 - contrast, 1 + contrast));
  };
}

function scaleAbout(x: Float32Array, centre: number, factor: number): void {
  for (let i = 0; i < x.length; i++) x[i] = Math.min(1, Math.max(0, centre + factor * (x[i] - centre)));
}

function grayMean(x: Float32Array, [channels, height, width]: SampleShape): number {
  const pixels = height * width;
  let mean = 0;
  for (let channel = 0; channel < channels; channel++) {
    const share = channels === 3 ? LUMA[channel] : 1 / channels;
    let sum = 0;
    for (let i = channel * pixels; i < (channel + 1) * pixels; i++) sum += x[i];
    mean += (share * sum) / pixels;
  }
  return mean;
}
