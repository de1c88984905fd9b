/** The layers of the report: those of well-known networks, and of each kind that the engine has. */
import type { ConvOptions } from "webgpu-conv";
import { makeProblem } from "webgpu-conv/reference";
import type { ConvProblem, Rank } from "../../src/problem/problem.js";

export interface Layer {
  readonly network: string;
  /** What tells it from others of the network: "128>512 1x1 28". */
  readonly name: string;
  readonly rank: Rank;
  /** Without the batch: channels, then extents. */
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly options: Pick<ConvOptions, "groups"> & Readonly<Record<"stride" | "padding" | "dilation", number>>;
  /** A transposed layer runs as the input gradient of the convolution that this is. */
  readonly transposed: boolean;
  /** One of each kind: reported in other layouts and dtypes, too. */
  readonly varied: boolean;
}

interface Shape {
  readonly channels: readonly [number, number];
  readonly kernel: number;
  readonly extents: readonly number[];
  readonly stride?: number;
  /** As much as keeps the size at stride 1 when absent. */
  readonly padding?: number;
  readonly dilation?: number;
  readonly groups?: number;
  readonly transposed?: boolean;
  readonly varied?: boolean;
}

function layer(network: string, shape: Shape): Layer {
  const { channels, kernel, extents, stride = 1, dilation = 1, groups = 1, transposed = false, varied = false } = shape;
  const { padding = Math.floor((dilation * (kernel - 1)) / 2) } = shape;
  const [inChannels, outChannels] = channels;
  const rank = extents.length as Rank;
  return {
    network,
    name: nameOf(shape),
    rank,
    input: [inChannels, ...extents],
    weight: [outChannels, inChannels / groups, ...extents.map(() => kernel)],
    options: { stride, padding, dilation, groups },
    transposed,
    varied,
  };
}

function nameOf({
  channels,
  kernel,
  extents,
  stride = 1,
  dilation = 1,
  groups = 1,
  transposed = false,
}: Shape): string {
  const [inChannels, outChannels] = channels;
  const isDepthwise = groups > 1 && groups === inChannels && groups === outChannels;
  const parts = [
    transposed ? "up" : "",
    isDepthwise ? `depthwise ${groups}` : transposed ? `${outChannels}>${inChannels}` : `${inChannels}>${outChannels}`,
    `${extents.map(() => kernel).join("x")}${stride > 1 ? `/${stride}` : ""}`,
    dilation > 1 ? `dilation ${dilation}` : "",
    groups > 1 && !isDepthwise ? `groups ${groups}` : "",
    [...new Set(extents)].join("x"),
  ];
  return parts.filter((part) => part !== "").join(" ");
}

type Row = readonly [inChannels: number, outChannels: number, kernel: number, extent: number, more?: Partial<Shape>];

const planes = (network: string, rows: readonly Row[]): readonly Layer[] =>
  rows.map(([inChannels, outChannels, kernel, extent, more]) =>
    layer(network, { channels: [inChannels, outChannels], kernel, extents: [extent, extent], ...more }),
  );

const depthwise = (channels: number, kernel: number, extent: number, more: Partial<Shape> = {}): Row => [
  channels,
  channels,
  kernel,
  extent,
  { groups: channels, ...more },
];

/** Every shape once. */
export const LAYERS: readonly Layer[] = [
  ...planes("ResNet-50", [
    [3, 64, 7, 224, { stride: 2, varied: true }],
    [64, 64, 1, 56],
    [64, 64, 3, 56, { varied: true }],
    [64, 256, 1, 56, { varied: true }],
    [256, 64, 1, 56],
    [128, 128, 3, 56, { stride: 2, varied: true }],
    [128, 512, 1, 28],
    [256, 512, 1, 56, { stride: 2, varied: true }],
    [512, 128, 1, 28],
    [128, 128, 3, 28],
    [256, 256, 3, 28, { stride: 2 }],
    [256, 1024, 1, 14],
    [1024, 256, 1, 14],
    [256, 256, 3, 14],
    [512, 512, 3, 14, { stride: 2 }],
    [1024, 2048, 1, 14, { stride: 2 }],
    [512, 2048, 1, 7, { varied: true }],
    [2048, 512, 1, 7],
    [512, 512, 3, 7, { varied: true }],
  ]),
  ...planes("VGG-16", [
    [3, 64, 3, 224],
    [64, 64, 3, 224],
    [64, 128, 3, 112],
    [128, 128, 3, 112],
    [256, 256, 3, 56],
    [512, 512, 3, 28],
    [512, 512, 3, 14],
  ]),
  ...planes("MobileNetV2", [
    [3, 32, 3, 224, { stride: 2 }],
    depthwise(32, 3, 112),
    [32, 16, 1, 112],
    [16, 96, 1, 112, { varied: true }],
    depthwise(96, 3, 112, { stride: 2, varied: true }),
    [96, 24, 1, 56],
    [24, 144, 1, 56],
    depthwise(144, 3, 56, { varied: true }),
    depthwise(384, 3, 14),
    [64, 384, 1, 14],
    [384, 64, 1, 14],
    depthwise(960, 3, 7),
    [320, 1280, 1, 7],
  ]),
  ...planes("ResNeXt-50", [
    [128, 128, 3, 56, { groups: 32, varied: true }],
    [256, 256, 3, 56, { groups: 32, stride: 2 }],
    [512, 512, 3, 14, { groups: 32 }],
    [1024, 1024, 3, 7, { groups: 32 }],
  ]),
  ...planes("ConvNeXt", [
    [3, 96, 4, 224, { stride: 4, padding: 0 }],
    depthwise(96, 7, 56, { varied: true }),
    depthwise(192, 7, 28),
    depthwise(768, 7, 7),
    [96, 384, 1, 56],
  ]),
  ...planes("RepLKNet", [depthwise(128, 31, 28)]),
  ...planes("SRGAN", [[64, 3, 9, 256]]),
  ...planes("U-Net", [
    [512, 1024, 2, 56, { stride: 2, padding: 0, transposed: true, varied: true }],
    [64, 128, 2, 512, { stride: 2, padding: 0, transposed: true }],
  ]),
  ...planes("DCGAN", [[256, 512, 4, 16, { stride: 2, padding: 1, transposed: true, varied: true }]]),
  ...planes("DeepLab", [[256, 256, 3, 33, { dilation: 12, varied: true }]]),
  layer("wav2vec", { channels: [512, 512], kernel: 3, extents: [16_000], stride: 2, padding: 0, varied: true }),
  layer("M5", { channels: [1, 128], kernel: 80, extents: [32_000], stride: 4, padding: 38 }),
  layer("WaveNet", { channels: [64, 128], kernel: 2, extents: [16_000], dilation: 512, padding: 0 }),
  layer("C3D", { channels: [64, 128], kernel: 3, extents: [16, 56, 56], varied: true }),
];

/** @returns the convolution of `batch` samples; of a transposed layer the one whose input gradient it is */
export function problemOf(
  { rank, input: [channels, ...extents], weight, options }: Layer,
  batch: number,
  layout: "channels-first" | "channels-last",
): ConvProblem {
  const input = layout === "channels-first" ? [batch, channels, ...extents] : [batch, ...extents, channels];
  return makeProblem(rank, input, weight, { ...options, layout });
}
