/** The networks whose training is compared, as plain data: every engine builds the same layers from it. */

export interface ConvLayer {
  readonly kind: "conv";
  readonly name: string;
  readonly inChannels: number;
  readonly filters: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly bias: boolean;
  readonly relu: boolean;
}

/** By the batch's statistics; the running ones move along. */
export interface NormLayer {
  readonly kind: "batchNorm";
  readonly name: string;
  readonly channels: number;
  readonly relu: boolean;
}

export interface PoolLayer {
  readonly kind: "maxPool" | "averagePool";
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

/** `relu(norm(body(x)) + shortcut(x))`; without a shortcut, x itself is added. */
export interface ResidualLayer {
  readonly kind: "residual";
  readonly body: readonly Layer[];
  readonly norm: NormLayer;
  readonly shortcut: readonly Layer[];
}

/** Takes maps `[C, H, W]` as one row. */
export interface LinearLayer {
  readonly kind: "linear";
  readonly name: string;
  readonly map: readonly [number, number, number];
  readonly outputs: number;
}

/** The mean of each channel: `[N, C]`. */
export interface GlobalAverageLayer {
  readonly kind: "globalAverage";
}

/** `x + body(x)`. */
export interface SumLayer {
  readonly kind: "sum";
  readonly body: readonly Layer[];
}

/** Channels of all branches, each of x, side by side; a branch without layers is x itself. */
export interface ConcatLayer {
  readonly kind: "concat";
  readonly branches: readonly (readonly Layer[])[];
}

/** Each value `factor` times along both sides. */
export interface UpsampleLayer {
  readonly kind: "upsample";
  readonly factor: number;
}

export type Layer =
  | ConvLayer
  | NormLayer
  | PoolLayer
  | ResidualLayer
  | LinearLayer
  | GlobalAverageLayer
  | SumLayer
  | ConcatLayer
  | UpsampleLayer;

/** Softmax cross-entropy of logits `[N, classes]` and labels, or the mean of squared differences to values of the result's shape. */
export type Loss =
  | { readonly kind: "crossEntropy"; readonly classes: number }
  | { readonly kind: "meanSquares"; readonly shape: readonly [number, number, number, number] };

/**
 * Adam's betas are PyTorch's defaults. Where `eps` is small beside gradients, an update is little more than their signs, which the smallest
 * error turns where a gradient is about 0.
 */
export type Update =
  | { readonly kind: "sgd"; readonly lr: number; readonly momentum: number }
  | { readonly kind: "adam"; readonly lr: number; readonly eps: number };

/** Handed to the page as JSON. */
export interface Network {
  readonly name: string;
  readonly layers: readonly Layer[];
  /** Of the batch, `[N, C, H, W]`. */
  readonly input: readonly [number, number, number, number];
  readonly loss: Loss;
  readonly update: Update;
  /** Names of parameters whose values are compared. */
  readonly compared: readonly string[];
}

const BATCH = 16;

/** The network of examples/train: four strided layers of 3x3 and a linear one. */
function glyphNetwork(): Layer[] {
  const channels = [1, 12, 24, 32, 48];
  const convolutions = channels.slice(1).map((filters, i): Layer => {
    const sizes = { inChannels: channels[i], filters, kernel: 3, stride: 2, padding: 1 };
    return { kind: "conv", name: `conv${i + 1}`, ...sizes, bias: true, relu: true };
  });
  return [...convolutions, { kind: "linear", name: "fc", map: [48, 2, 2], outputs: 10 }];
}

const plainConv = (
  name: string,
  [inChannels, filters]: readonly [number, number],
  kernel: number,
  stride = 1,
): Layer => ({
  ...{ kind: "conv", name, inChannels, filters, kernel, stride },
  ...{ padding: (kernel - 1) / 2, bias: false, relu: false },
});
const norm = (name: string, channels: number, relu: boolean): NormLayer => ({
  kind: "batchNorm",
  name,
  channels,
  relu,
});

/** Names are torchvision's. */
function basicBlock(name: string, inChannels: number, filters: number, stride: number): Layer {
  const channels = [inChannels, filters] as const;
  return {
    kind: "residual",
    body: [
      plainConv(`${name}.conv1`, channels, 3, stride),
      norm(`${name}.bn1`, filters, true),
      plainConv(`${name}.conv2`, [filters, filters], 3),
    ],
    norm: norm(`${name}.bn2`, filters, false),
    shortcut:
      stride === 1
        ? []
        : [plainConv(`${name}.downsample.0`, channels, 1, stride), norm(`${name}.downsample.1`, filters, false)],
  };
}

/** He et al., "Deep residual learning for image recognition", 2016, table 1. */
function resnet18(extent: number, classes: number): Layer[] {
  const widths = [64, 64, 128, 256, 512];
  const blocks = widths
    .slice(1)
    .flatMap((width, i) => [
      basicBlock(`layer${i + 1}.0`, widths[i], width, i === 0 ? 1 : 2),
      basicBlock(`layer${i + 1}.1`, width, width, 1),
    ]);
  if (extent % 32 !== 0) throw new Error(`extent is ${extent}; expected a multiple of 32`);
  return [
    plainConv("conv1", [3, 64], 7, 2),
    norm("bn1", 64, true),
    { kind: "maxPool", kernel: 3, stride: 2, padding: 1 },
    ...blocks,
    { kind: "globalAverage" },
    { kind: "linear", name: "fc", map: [512, 1, 1], outputs: classes },
  ];
}

/** Lin, Chen and Yan, "Network in network", 2014, as its authors trained it on CIFAR-10, without dropout. */
function networkInNetwork(classes: number): Layer[] {
  const layer = (name: string, inChannels: number, filters: number, kernel: number): Layer => ({
    ...{ kind: "conv", name, inChannels, filters, kernel, stride: 1 },
    ...{ padding: (kernel - 1) / 2, bias: true, relu: true },
  });
  return [
    layer("conv1", 3, 192, 5),
    layer("cccp1", 192, 160, 1),
    layer("cccp2", 160, 96, 1),
    { kind: "maxPool", kernel: 3, stride: 2, padding: 1 },
    layer("conv2", 96, 192, 5),
    layer("cccp3", 192, 192, 1),
    layer("cccp4", 192, 192, 1),
    { kind: "averagePool", kernel: 3, stride: 2, padding: 0 },
    layer("conv3", 192, 192, 3),
    layer("cccp5", 192, 192, 1),
    layer("cccp6", 192, classes, 1),
    { kind: "globalAverage" },
  ];
}

/**
 * That of examples/finetune, `@upscalerjs/esrgan-slim` 1.0.0: a residual dense network of two blocks. `@upscalerjs/default-model` has the
 * same layers for a factor of 2.
 */
export function esrganSlim(factor: 2 | 4): Layer[] {
  const conv = (name: string, inChannels: number, filters: number, kernel: number, relu = false): Layer => ({
    ...{ kind: "conv", name, inChannels, filters, kernel, stride: 1 },
    ...{ padding: (kernel - 1) / 2, bias: true, relu },
  });
  const block = (n: number): Layer => ({
    kind: "sum",
    body: [{ kind: "concat", branches: [[], [conv(`F_${n}_1`, 64, 4, 3, true)]] }, conv(`LFF_${n}`, 68, 64, 1)],
  });
  const blocks: Layer[] = [block(1), { kind: "concat", branches: [[], [block(2)]] }];
  return [
    conv("F_m1", 3, 64, 3),
    {
      kind: "sum",
      body: [conv("F_0", 64, 64, 3), ...blocks, conv("GFF_1", 128, 64, 1), conv("GFF_2", 64, 64, 3)],
    },
    conv("UPN1", 64, 64, 5, true),
    conv("UPN2", 64, 32, 3, true),
    conv("UPN3", 32, 3 * factor ** 2, 3),
    { kind: "upsample", factor },
    conv("SR", 3 * factor ** 2, 3, 3),
  ];
}

const SGD: Update = { kind: "sgd", lr: 0.01, momentum: 0.9 };

export const NETWORKS: readonly Network[] = [
  {
    name: "glyph network 28x28",
    layers: glyphNetwork(),
    input: [BATCH, 1, 28, 28],
    loss: { kind: "crossEntropy", classes: 10 },
    update: SGD,
    compared: ["conv1.weight", "conv4.bias", "fc.weight"],
  },
  {
    name: "ResNet-18 64x64",
    layers: resnet18(64, 1000),
    input: [BATCH, 3, 64, 64],
    loss: { kind: "crossEntropy", classes: 1000 },
    update: SGD,
    compared: ["conv1.weight", "layer2.0.downsample.0.weight", "layer4.1.bn2.weight", "fc.bias"],
  },
  {
    name: "Network in Network 32x32",
    layers: networkInNetwork(10),
    input: [BATCH, 3, 32, 32],
    loss: { kind: "crossEntropy", classes: 10 },
    update: SGD,
    compared: ["conv1.weight", "cccp3.weight", "cccp6.bias"],
  },
  {
    name: "esrgan-slim 12x12 to 48x48",
    layers: esrganSlim(4),
    input: [BATCH, 3, 12, 12],
    loss: { kind: "meanSquares", shape: [BATCH, 3, 48, 48] },
    update: { kind: "adam", lr: 1e-4, eps: 0.01 },
    compared: ["F_m1.weight", "F_1_1.weight", "GFF_1.weight", "UPN1.weight", "SR.bias"],
  },
];
