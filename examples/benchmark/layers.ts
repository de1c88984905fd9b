/** The layers that the benchmark runs: those of well-known networks, each distinct shape once. */
import type { ConvOptions } from "webgpu-conv";

/** One convolution layer at the size at which its network uses it. */
export interface Layer {
  /** Network and place in it. */
  readonly origin: string;
  readonly inChannels: number;
  readonly outChannels: number;
  /** Filter extent, the same along both axes. */
  readonly kernel: number;
  /** Input extent, the same along both axes. */
  readonly extent: number;
  readonly batch: number;
  readonly options: Required<Pick<ConvOptions, "groups">> & {
    readonly stride: number;
    readonly padding: number;
    readonly dilation: number;
  };
  /** Part of the short run. */
  readonly quick: boolean;
}

interface Variation {
  readonly stride?: number;
  readonly padding?: number;
  readonly dilation?: number;
  readonly groups?: number;
  readonly batch?: number;
  readonly quick?: boolean;
}

/** Padding keeps the size at stride 1 unless said otherwise. */
function layer(
  origin: string,
  [inChannels, outChannels]: readonly [number, number],
  kernel: number,
  extent: number,
  variation: Variation = {},
): Layer {
  const { stride = 1, dilation = 1, groups = 1, batch = 1, quick = false } = variation;
  const { padding = (dilation * (kernel - 1)) / 2 } = variation;
  const options = { stride, padding, dilation, groups };
  return { origin, inChannels, outChannels, kernel, extent, batch, options, quick };
}

/** Bottleneck stages at 224 x 224 input, with the stride in the 3x3 as torchvision has it. */
const RESNET_50: readonly Layer[] = [
  layer("ResNet-50 stem", [3, 64], 7, 224, { stride: 2, quick: true }),
  layer("ResNet-50 conv2_x", [64, 64], 1, 56),
  layer("ResNet-50 conv2_x", [64, 64], 3, 56, { quick: true }),
  layer("ResNet-50 conv2_x", [64, 256], 1, 56, { quick: true }),
  layer("ResNet-50 conv2_x", [256, 64], 1, 56),
  layer("ResNet-50 conv3_x", [256, 128], 1, 56),
  layer("ResNet-50 conv3_x", [128, 128], 3, 56, { stride: 2, quick: true }),
  layer("ResNet-50 conv3_x", [128, 512], 1, 28),
  layer("ResNet-50 conv3_x projection", [256, 512], 1, 56, { stride: 2 }),
  layer("ResNet-50 conv3_x", [512, 128], 1, 28),
  layer("ResNet-50 conv3_x", [128, 128], 3, 28),
  layer("ResNet-50 conv4_x", [512, 256], 1, 28),
  layer("ResNet-50 conv4_x", [256, 256], 3, 28, { stride: 2 }),
  layer("ResNet-50 conv4_x", [256, 1024], 1, 14),
  layer("ResNet-50 conv4_x projection", [512, 1024], 1, 28, { stride: 2 }),
  layer("ResNet-50 conv4_x", [1024, 256], 1, 14),
  layer("ResNet-50 conv4_x", [256, 256], 3, 14),
  layer("ResNet-50 conv5_x", [1024, 512], 1, 14),
  layer("ResNet-50 conv5_x", [512, 512], 3, 14, { stride: 2 }),
  layer("ResNet-50 conv5_x", [512, 2048], 1, 7),
  layer("ResNet-50 conv5_x projection", [1024, 2048], 1, 14, { stride: 2 }),
  layer("ResNet-50 conv5_x", [2048, 512], 1, 7),
  layer("ResNet-50 conv5_x", [512, 512], 3, 7),
];

const VGG_16: readonly Layer[] = [
  layer("VGG-16 conv1_1", [3, 64], 3, 224),
  layer("VGG-16 conv1_2", [64, 64], 3, 224),
  layer("VGG-16 conv2_1", [64, 128], 3, 112),
  layer("VGG-16 conv2_2", [128, 128], 3, 112),
  layer("VGG-16 conv3_1", [128, 256], 3, 56),
  layer("VGG-16 conv3_2", [256, 256], 3, 56),
  layer("VGG-16 conv4_1", [256, 512], 3, 28),
  layer("VGG-16 conv4_2", [512, 512], 3, 28),
  layer("VGG-16 conv5", [512, 512], 3, 14),
];

/** The second layer: as torchvision has it, and the original, split in two groups. */
const ALEXNET: readonly Layer[] = [
  layer("AlexNet conv2", [64, 192], 5, 27, { quick: true }),
  layer("AlexNet conv2 (2012)", [96, 256], 5, 27, { groups: 2 }),
];

/** The 1x1 layers ("cccp") of the ImageNet model. */
const NETWORK_IN_NETWORK: readonly Layer[] = [
  layer("NiN cccp1", [96, 96], 1, 54),
  layer("NiN cccp3", [256, 256], 1, 27),
  layer("NiN cccp5", [384, 384], 1, 13),
  layer("NiN cccp7", [1024, 1024], 1, 6),
  layer("NiN cccp8", [1024, 1000], 1, 6),
];

function depthwise(channels: number, extent: number, variation: Variation = {}): Layer {
  return layer("MobileNetV2 depthwise", [channels, channels], 3, extent, { ...variation, groups: channels });
}

const MOBILENET_V2: readonly Layer[] = [
  depthwise(32, 112),
  depthwise(96, 112, { stride: 2 }),
  depthwise(144, 56, { quick: true }),
  depthwise(144, 56, { stride: 2 }),
  depthwise(192, 28),
  depthwise(192, 28, { stride: 2 }),
  depthwise(384, 14),
  depthwise(576, 14),
  depthwise(576, 14, { stride: 2 }),
  depthwise(960, 7),
];

function cardinality32(channels: number, extent: number, variation: Variation = {}): Layer {
  return layer("ResNeXt-50 32x4d", [channels, channels], 3, extent, { ...variation, groups: 32 });
}

const RESNEXT_50: readonly Layer[] = [
  cardinality32(128, 56, { quick: true }),
  cardinality32(256, 56, { stride: 2 }),
  cardinality32(256, 28),
  cardinality32(512, 28, { stride: 2 }),
  cardinality32(512, 14),
  cardinality32(1024, 14, { stride: 2 }),
  cardinality32(1024, 7),
];

const SINGLES: readonly Layer[] = [
  layer("Atrous pyramid", [256, 64], 3, 33, { dilation: 12, quick: true }),
  layer("LeNet-5 conv1", [1, 6], 5, 28, { batch: 32, quick: true }),
  layer("Textbook", [3, 2], 3, 7, { stride: 2, padding: 1, quick: true }),
  layer("Textbook", [3, 2], 3, 7, { padding: 1 }),
];

/** Every layer, in the order in which the benchmark runs them. */
export const LAYERS: readonly Layer[] = [
  ...RESNET_50,
  ...VGG_16,
  ...ALEXNET,
  ...NETWORK_IN_NETWORK,
  ...MOBILENET_V2,
  ...RESNEXT_50,
  ...SINGLES,
];

/** The layer in words: origin, filter, channels, what is unusual, and the input size of its network. */
export function layerName({ origin, inChannels, outChannels, kernel, extent, batch, options }: Layer): string {
  const parts = [
    origin,
    `${kernel}x${kernel}${options.stride > 1 ? `/${options.stride}` : ""}`,
    `${inChannels}->${outChannels}`,
    `${extent}x${extent}`,
  ];
  if (options.dilation > 1) parts.push(`dilation ${options.dilation}`);
  if (options.groups > 1 && options.groups < inChannels) parts.push(`groups ${options.groups}`);
  if (batch > 1) parts.push(`batch ${batch}`);
  return parts.join(" ");
}
