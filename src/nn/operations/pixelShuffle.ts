/** Channels into space and back. */
import { require } from "../../base/errors.js";
import { type OptionKeys, optionKeys, requireOptions } from "../../base/optionKeys.js";
import { requireWord } from "../../base/spelling.js";
import { requireInteger } from "../../problem/geometry.js";
import type { Layout } from "../../problem/layout.js";
import type { Tensor } from "../../tensor/tensor.js";
import { showShape, specOf } from "../core/operation.js";
import { readVolumes, shapeOf } from "../core/volumes.js";
import { rearrange } from "./permute.js";

/**
 * What the channels are that become rows and columns of a cell, ONNX's modes: "CRD", channel, row, column, as PyTorch has them, the
 * column running fastest; "DCR", row, column, channel.
 */
export type ChannelOrder = "CRD" | "DCR";

const CHANNEL_ORDERS: readonly ChannelOrder[] = ["CRD", "DCR"];

export interface PixelShuffleOptions {
  /** "CRD" when absent. */
  readonly channelOrder?: ChannelOrder;
  /** Dimension order of the tensor; "channels-first" when absent. */
  readonly layout?: Layout;
}

const SHUFFLE_KEYS: OptionKeys = optionKeys<PixelShuffleOptions>(
  { channelOrder: 1, layout: 1 },
  { string: "channelOrder" },
);

/**
 * `[N, C * r * r, H, W]` to `[N, C, H * r, W * r]`: `y[n, c, h * r + i, w * r + j] = x[n, (c * r + i) * r + j, h, w]`, PyTorch's
 * `pixel_shuffle`, ONNX's DepthToSpace (`channelOrder: "DCR"` is its default).
 *
 * @param factor r
 * @throws ArgumentError where r * r does not divide the channels.
 */
export function pixelShuffle(x: Tensor, factor: number, options: PixelShuffleOptions = {}): Tensor {
  const { volumes, shuffled, order } = readShuffle(x, factor, options);
  const { channels, spatial } = volumes;
  const cells = factor * factor;
  require(channels % cells === 0, () => {
    return `x of shape ${showShape(x.shape)} has ${String(channels)} channels; expected a multiple of factor * factor = ${String(cells)}`;
  });
  const [height, width] = spatial;
  const result = { ...volumes, channels: channels / cells, spatial: [height * factor, width * factor] };
  const extents = extentsOf(volumes.batch, channels / cells, height, width, factor);
  const view = Array.from(order, (letter) => extents[letter]);
  return rearrange(
    "pixelShuffle",
    x,
    view,
    Array.from(shuffled, (letter) => order.indexOf(letter)),
    shapeOf(result),
    { layout: volumes.layout, extent: [1, 1], stride: [1 / factor, 1 / factor] },
  );
}

/**
 * `[N, C, H * r, W * r]` to `[N, C * r * r, H, W]`: the inverse of {@link pixelShuffle}, PyTorch's `pixel_unshuffle`, ONNX's
 * SpaceToDepth (with `channelOrder: "DCR"`).
 *
 * @param factor r
 * @throws ArgumentError where r does not divide height and width.
 */
export function pixelUnshuffle(x: Tensor, factor: number, options: PixelShuffleOptions = {}): Tensor {
  const { volumes, shuffled, order } = readShuffle(x, factor, options);
  const { channels, spatial } = volumes;
  const [height, width] = spatial.map((extent) => extent / factor);
  require(Number.isInteger(height) && Number.isInteger(width), () => {
    return `x of shape ${showShape(x.shape)} has ${String(spatial[0])} rows and ${String(spatial[1])} columns; expected multiples of factor = ${String(factor)}`;
  });
  const result = { ...volumes, channels: channels * factor * factor, spatial: [height, width] };
  const extents = extentsOf(volumes.batch, channels, height, width, factor);
  const view = Array.from(shuffled, (letter) => extents[letter]);
  return rearrange(
    "pixelUnshuffle",
    x,
    view,
    Array.from(order, (letter) => shuffled.indexOf(letter)),
    shapeOf(result),
    { layout: volumes.layout, extent: [factor, factor], stride: [factor, factor] },
  );
}

/** Axes of both tensors by letters: i and j are rows and columns of a cell of r by r. */
type Letter = "N" | "C" | "H" | "W" | "i" | "j";

const extentsOf = (
  batch: number,
  channels: number,
  height: number,
  width: number,
  factor: number,
): Readonly<Record<Letter, number>> => ({ N: batch, C: channels, H: height, W: width, i: factor, j: factor });

function readShuffle(x: Tensor, factor: number, options: PixelShuffleOptions) {
  requireOptions(options, SHUFFLE_KEYS);
  const { channelOrder = "CRD", layout } = options;
  requireWord("channelOrder", channelOrder, CHANNEL_ORDERS);
  requireInteger("factor", factor, 1);
  const volumes = readVolumes("x", specOf(x, "x").shape, 2, layout);
  const cell = channelOrder === "CRD" ? "Cij" : "ijC";
  const isFirst = volumes.layout === "channels-first";
  return {
    volumes,
    order: letters(isFirst ? `N${cell}HW` : `NHW${cell}`),
    shuffled: letters(isFirst ? "NCHiWj" : "NHiWjC"),
  };
}

const letters = (text: string): Letter[] => Array.from(text) as Letter[];
