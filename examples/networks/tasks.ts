/** What the networks learn, from pictures that are drawn as they go: no download. */
import { DataLoader, glyphs, Random } from "webgpu-conv/nn";

/** A batch of pictures, and what is to be said of them. */
export interface Example {
  /** `[N, 1, extent, extent]` */
  readonly x: Float32Array;
  readonly labels: Float32Array;
}

export interface Task {
  readonly title: string;
  readonly classes: number;
  /** Shape of a batch's labels. */
  labelShape(batch: number, extent: number): readonly number[];
  /** Batches without an end. */
  batches(options: BatchOptions): AsyncGenerator<Example, never>;
}

export interface BatchOptions {
  readonly batch: number;
  /** Height and width of the pictures. */
  readonly extent: number;
  readonly seed: number;
  /** Pictures that are drawn, 4,000 when absent: then they begin anew, in another order. */
  readonly count?: number | undefined;
}

const COUNT = 4000;
const DIGITS = 10;
/** Of noise, either way. */
const NOISE = 0.15;

/** Each picture's digit. */
export const digits: Task = {
  title: "which digit a picture shows",
  classes: DIGITS,
  labelShape: (batch) => [batch],
  async *batches({ batch, extent, seed, count = COUNT }) {
    const loader = new DataLoader(glyphs({ count, seed, extent }), { batchSize: batch, seed, dropLast: true });
    for (;;) for await (const { x, labels } of loader) yield { x, labels: Float32Array.from(labels) };
  },
};

/** For each pixel whether it is a stroke, under noise. */
export const strokes: Task = {
  title: "which pixels are strokes",
  classes: 2,
  labelShape: (batch, extent) => [batch, extent, extent],
  batches: (options) => pixelBatches(options, () => 1),
};

/** For each pixel the digit that it is part of, or none. */
export const digitsOfPixels: Task = {
  title: "which digit a pixel is part of",
  classes: DIGITS + 1,
  labelShape: (batch, extent) => [batch, extent, extent],
  batches: (options) => pixelBatches(options, (digit) => digit + 1),
};

/** Noisy pictures with a label for each pixel: 0 on the ground. */
async function* pixelBatches(
  { batch, extent, seed, count = COUNT }: BatchOptions,
  labelOf: (digit: number) => number,
): AsyncGenerator<Example, never> {
  const clean = glyphs({ count, seed, extent, noise: 0 });
  const random = new Random(seed);
  for (;;) {
    for await (const { x, labels } of new DataLoader(clean, { batchSize: batch, seed, dropLast: true })) {
      const pixels = new Float32Array(x.length);
      labels.forEach((digit, n) => {
        const picture = x.subarray(n * extent ** 2, (n + 1) * extent ** 2);
        const own = inkOf(picture).map((isInk) => (isInk ? labelOf(digit) : 0));
        pixels.set(own, n * extent ** 2);
      });
      yield { x: x.map((value) => value + random.uniform(-NOISE, NOISE)), labels: pixels };
    }
  }
}

/** A picture without noise has two shades and those between: its corner is of the ground's. */
function inkOf(picture: Float32Array): boolean[] {
  const [ground] = picture;
  const contrast = picture.reduce((most, value) => Math.max(most, Math.abs(value - ground)), 0);
  return Array.from(picture, (value) => Math.abs(value - ground) > contrast / 2);
}
