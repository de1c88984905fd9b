/** What the report measures: ordinary layers, and sums that are long for each pass. */
import type { DType } from "webgpu-conv";

export interface AccuracyLayer {
  readonly name: string;
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly options: { readonly padding?: number; readonly groups?: number };
  readonly dtypes: readonly DType[];
}

export const LAYERS: readonly AccuracyLayer[] = [
  {
    name: "64 to 32 channels, 3x3, 14 x 14, batch 2",
    input: [2, 64, 14, 14],
    weight: [32, 64, 3, 3],
    options: { padding: 1 },
    dtypes: ["float32", "float16"],
  },
  {
    name: "depthwise, 8 channels, 3x3, 96 x 96, batch 2",
    input: [2, 8, 96, 96],
    weight: [8, 1, 3, 3],
    options: { padding: 1, groups: 8 },
    dtypes: ["float32"],
  },
  {
    name: "fully connected, 16,384 to 16",
    input: [1, 16_384, 1, 1],
    weight: [16, 16_384, 1, 1],
    options: {},
    dtypes: ["float32"],
  },
  {
    name: "1 to 1 channel, 1x1, 1,000 x 600",
    input: [1, 1, 1000, 600],
    weight: [1, 1, 1, 1],
    options: {},
    dtypes: ["float32"],
  },
];

/** Equal terms, whose roundings add up as no others do: shapes of x, all of them summed to one weight. */
export const EQUAL_TERMS: readonly (readonly number[])[] = [
  [1, 1, 600, 1000],
  [3, 1, 1000, 2000],
];
