/** The layers that the engines are compared on: one of each kind that networks are made of. */
import type { ConvOptions } from "webgpu-conv";

export const PASSES = ["forward", "inputGradient", "weightGradient"] as const;
export type Pass = (typeof PASSES)[number];

/** A convolution layer, with square filters and inputs. Plain data: it is handed to the page as JSON. */
export interface Layer {
  readonly name: string;
  /** Shape of x, `[N, C, H, W]`. */
  readonly input: readonly [number, number, number, number];
  /** Shape of w, `[out, C / groups, kh, kw]`. */
  readonly weight: readonly [number, number, number, number];
  readonly options: Required<Pick<ConvOptions, "groups">> & {
    readonly stride: number;
    readonly padding: number;
    readonly dilation: number;
  };
}

interface Variation {
  readonly stride?: number;
  readonly dilation?: number;
  readonly groups?: number;
  readonly batch?: number;
}

/** Padding keeps the size at stride 1. */
function layer(
  name: string,
  [inChannels, outChannels]: readonly [number, number],
  kernel: number,
  extent: number,
  { stride = 1, dilation = 1, groups = 1, batch = 1 }: Variation = {},
): Layer {
  return {
    name,
    input: [batch, inChannels, extent, extent],
    weight: [outChannels, inChannels / groups, kernel, kernel],
    options: { stride, padding: (dilation * (kernel - 1)) / 2, dilation, groups },
  };
}

export const LAYERS: readonly Layer[] = [
  layer("3->64 7x7 s2 224", [3, 64], 7, 224, { stride: 2 }),
  layer("64->64 3x3 56", [64, 64], 3, 56),
  layer("64->256 1x1 56", [64, 256], 1, 56),
  layer("256->256 3x3 14", [256, 256], 3, 14),
  layer("512->512 3x3 7", [512, 512], 3, 7),
  layer("256->512 1x1 s2 56", [256, 512], 1, 56, { stride: 2 }),
  layer("64->192 5x5 27", [64, 192], 5, 27),
  layer("192->192 1x1 32, batch 4", [192, 192], 1, 32, { batch: 4 }),
  layer("256->64 3x3 dilation 12, 33", [256, 64], 3, 33, { dilation: 12 }),
  layer("depthwise 3x3 144, 56, batch 4", [144, 144], 3, 56, { groups: 144, batch: 4 }),
  layer("depthwise 7x7 96, 56, batch 2", [96, 96], 7, 56, { groups: 96, batch: 2 }),
  layer("128->128 3x3 32 groups, 56", [128, 128], 3, 56, { groups: 32 }),
  layer("1->6 5x5 28, batch 32", [1, 6], 5, 28, { batch: 32 }),
];
