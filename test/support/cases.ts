/**
 * The named cases: every kind of layer, each in four variants. Sizes are small, and chosen so that the cases of
 * a family share most of their compiled kernels, since compiling is what takes the time on a software device.
 */
import { type ConvOptions } from "webgpu-conv";

export type Variant =
  /** Sizes are multiples of the tiles. */
  | "plain"
  /** No size is. */
  | "tail"
  /** One channel or one a group, one position. */
  | "tiny"
  /** Not square, padding that differs from side to side, cropping (negative padding). */
  | "odd"
  /** Several tiles along each axis of the product, and sums long enough to be split. */
  | "large";

export interface ConvCase {
  readonly name: string;
  readonly variant: Variant;
  /** `[N, C, H, W]` */
  readonly input: readonly number[];
  /** `[out, in / groups, kh, kw]` */
  readonly weight: readonly number[];
  readonly options: ConvOptions;
}

type Shapes = Pick<ConvCase, "input" | "weight"> & { readonly options?: ConvOptions };

function family(name: string, options: ConvOptions, variants: Partial<Record<Variant, Shapes>>): ConvCase[] {
  return Object.entries(variants).map(([variant, shapes]) => ({
    ...shapes,
    name: `${name}, ${variant}`,
    variant: variant as Variant,
    options: { ...options, ...shapes.options },
  }));
}

export const CASES: readonly ConvCase[] = [
  ...family(
    "first layer",
    { stride: 2, padding: 3 },
    {
      plain: { input: [1, 3, 32, 32], weight: [16, 3, 7, 7] },
      tail: { input: [2, 3, 23, 23], weight: [9, 3, 7, 7] },
      tiny: { input: [1, 1, 1, 1], weight: [1, 1, 7, 7] },
      odd: {
        input: [1, 3, 19, 30],
        weight: [7, 3, 7, 7],
        options: {
          padding: [
            [3, 2],
            [-1, 4],
          ],
        },
      },
    },
  ),
  ...family(
    "1x1",
    {},
    {
      plain: { input: [2, 16, 16, 16], weight: [32, 16, 1, 1] },
      tail: { input: [3, 13, 7, 9], weight: [17, 13, 1, 1] },
      tiny: { input: [1, 1, 1, 1], weight: [1, 1, 1, 1] },
      odd: {
        input: [1, 6, 5, 12],
        weight: [10, 6, 1, 1],
        options: {
          padding: [
            [-1, 0],
            [2, -3],
          ],
        },
      },
      large: { input: [2, 70, 20, 20], weight: [130, 70, 1, 1] },
    },
  ),
  ...family(
    "3x3",
    { padding: 1 },
    {
      plain: { input: [2, 16, 16, 16], weight: [32, 16, 3, 3] },
      tail: { input: [3, 5, 11, 11], weight: [33, 5, 3, 3] },
      tiny: { input: [2, 1, 1, 1], weight: [1, 1, 3, 3] },
      odd: {
        input: [1, 7, 9, 22],
        weight: [9, 7, 3, 2],
        options: {
          padding: [
            [2, 0],
            [-1, 1],
          ],
        },
      },
      large: { input: [2, 36, 23, 21], weight: [68, 36, 3, 3] },
    },
  ),
  ...family(
    "5x5",
    { padding: 2 },
    {
      plain: { input: [1, 16, 16, 16], weight: [16, 16, 5, 5] },
      tail: { input: [2, 20, 10, 10], weight: [17, 20, 5, 5] },
      tiny: { input: [1, 1, 1, 1], weight: [1, 1, 5, 5] },
      odd: {
        input: [1, 4, 6, 17],
        weight: [5, 4, 5, 5],
        options: {
          padding: [
            [0, 3],
            [4, -2],
          ],
        },
      },
    },
  ),
  ...family(
    "7x7",
    { padding: 3 },
    {
      plain: { input: [1, 16, 16, 16], weight: [16, 16, 7, 7] },
      tail: { input: [2, 20, 10, 10], weight: [17, 20, 7, 7] },
      tiny: { input: [1, 1, 1, 1], weight: [1, 1, 7, 7] },
      odd: {
        input: [1, 2, 8, 15],
        weight: [5, 2, 7, 7],
        options: {
          padding: [
            [1, 5],
            [3, -1],
          ],
        },
      },
    },
  ),
  ...family(
    "grouped",
    { padding: 1 },
    {
      plain: { input: [2, 32, 8, 8], weight: [32, 8, 3, 3], options: { groups: 4 } },
      tail: { input: [1, 15, 9, 9], weight: [21, 5, 3, 3], options: { groups: 3 } },
      tiny: { input: [1, 2, 1, 1], weight: [2, 1, 3, 3], options: { groups: 2 } },
      odd: {
        input: [1, 6, 7, 12],
        weight: [10, 3, 3, 3],
        options: {
          groups: 2,
          padding: [
            [2, -1],
            [0, 1],
          ],
        },
      },
    },
  ),
  ...family(
    "depthwise",
    { padding: 1 },
    {
      plain: { input: [1, 32, 16, 16], weight: [32, 1, 3, 3], options: { groups: 32 } },
      tail: { input: [2, 13, 9, 9], weight: [13, 1, 3, 3], options: { groups: 13 } },
      tiny: { input: [1, 3, 1, 1], weight: [3, 1, 3, 3], options: { groups: 3 } },
      odd: {
        input: [1, 5, 4, 13],
        weight: [5, 1, 3, 3],
        options: {
          groups: 5,
          padding: [
            [0, 2],
            [-2, 1],
          ],
        },
      },
    },
  ),
  ...family(
    "depthwise, channel multiplier",
    { padding: 1 },
    {
      plain: { input: [1, 8, 16, 16], weight: [32, 1, 3, 3], options: { groups: 8 } },
      tail: { input: [2, 5, 9, 9], weight: [15, 1, 3, 3], options: { groups: 5 } },
      tiny: { input: [1, 2, 1, 1], weight: [4, 1, 3, 3], options: { groups: 2 } },
      odd: {
        input: [1, 3, 5, 11],
        weight: [6, 1, 3, 3],
        options: {
          groups: 3,
          padding: [
            [1, -1],
            [2, 0],
          ],
        },
      },
    },
  ),
  ...family(
    "dilated",
    { padding: 2, dilation: 2 },
    {
      plain: { input: [1, 16, 16, 16], weight: [16, 16, 3, 3] },
      tail: { input: [2, 20, 10, 10], weight: [17, 20, 3, 3] },
      tiny: { input: [1, 1, 1, 1], weight: [1, 1, 3, 3] },
      odd: {
        input: [1, 3, 8, 14],
        weight: [5, 3, 3, 2],
        options: {
          dilation: [1, 3],
          padding: [
            [0, 3],
            [5, -1],
          ],
        },
      },
    },
  ),
  ...family(
    "strided",
    { stride: 2, padding: 1 },
    {
      plain: { input: [2, 16, 16, 16], weight: [16, 16, 3, 3] },
      tail: { input: [3, 20, 12, 12], weight: [17, 20, 3, 3] },
      tiny: { input: [1, 1, 1, 1], weight: [1, 1, 3, 3] },
      odd: {
        input: [1, 3, 14, 9],
        weight: [5, 3, 2, 3],
        options: {
          stride: [3, 1],
          padding: [
            [-1, 2],
            [1, 0],
          ],
        },
      },
    },
  ),
  // As an input gradient: a transposed convolution that doubles the size.
  ...family(
    "transposed-like",
    { stride: 2, padding: 1 },
    {
      plain: { input: [1, 16, 16, 16], weight: [16, 16, 4, 4] },
      tail: { input: [1, 20, 12, 16], weight: [21, 20, 4, 4] },
      tiny: { input: [1, 1, 2, 2], weight: [1, 1, 4, 4] },
      odd: {
        input: [1, 3, 13, 8],
        weight: [5, 3, 4, 4],
        options: {
          padding: [
            [2, 1],
            [0, -1],
          ],
        },
      },
    },
  ),
];

/** The case of that name. */
export function namedCase(name: string): ConvCase {
  const found = CASES.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`there is no case named ${name}`);
  return found;
}
