/** Memory layouts: how a tensor's dimensions are ordered, and what that makes of a problem's sizes. */
import { require, show } from "../base/errors.js";
import { requireWord, spellingHint } from "../base/spelling.js";

/** Dimensions of inputs and outputs: `[N, C, ...spatial]` or `[N, ...spatial, C]`. */
export type Layout = "channels-first" | "channels-last";

/**
 * Dimensions of a weight, O output channels, I input channels of a group, then the spatial axes of its rank:
 * "OIHW" (the default), "HWIO", "OHWI", "IHWO"; in 1D without H ("OIW"), in 3D with D ("OIDHW").
 */
export type WeightLayout =
  ("OIW" | "WIO" | "OWI" | "IWO") | ("OIHW" | "HWIO" | "OHWI" | "IHWO") | ("OIDHW" | "DHWIO" | "ODHWI" | "IDHWO");

/**
 * Dimensions of a transposed convolution's weight, I its input channels, O output channels of a group: "IOHW" (the
 * default), "HWOI", "OHWI", "IHWO", and their forms in 1D and 3D.
 */
export type TransposedWeightLayout =
  ("IOW" | "WOI" | "OWI" | "IWO") | ("IOHW" | "HWOI" | "OHWI" | "IHWO") | ("IODHW" | "DHWOI" | "ODHWI" | "IDHWO");

/** A weight layout whatever its rank: S stands for the spatial axes. */
export type WeightOrder = "OIS" | "SIO" | "OSI" | "ISO";

export const LAYOUTS: readonly Layout[] = ["channels-first", "channels-last"];
export const WEIGHT_ORDERS: readonly WeightOrder[] = ["OIS", "SIO", "OSI", "ISO"];
const SPATIAL = ["W", "HW", "DHW"];

/** The spatial axes' letters for a rank: "W", "HW" or "DHW". */
export const spatialLetters = (rank: number): string => SPATIAL[rank - 1];

/** An order as callers write it, "OIHW" say. */
export const orderName = (order: WeightOrder, rank: number): string => order.replace("S", spatialLetters(rank));

/** Likewise of a transposed convolution's weight, where input and output channels change places: "IOHW". */
export const transposedOrderName = (order: WeightOrder, rank: number): string =>
  orderName(order, rank).replace(/[IO]/g, (letter) => (letter === "I" ? "O" : "I"));

export function readLayout(layout: Layout = "channels-first"): Layout {
  requireWord("layout", layout, LAYOUTS);
  return layout;
}

function orderIndex(layout: string, names: readonly string[], where: string): number {
  const index = names.indexOf(layout);
  require(index >= 0, () => {
    const hint = spellingHint("weightLayout", layout, names);
    return `weightLayout is ${show(layout)}; expected ${names.map(show).join(", ")} ${where}${hint}`;
  });
  return index;
}

export function readWeightOrder(layout: string | undefined, rank: number): WeightOrder {
  if (layout === undefined) return "OIS";
  const names = WEIGHT_ORDERS.map((order) => orderName(order, rank));
  return WEIGHT_ORDERS[orderIndex(layout, names, `for ${String(rank)} spatial dimensions`)];
}

/**
 * A transposed convolution's weight layout as the convolution's whose input gradient it is, where input and output
 * channels change places.
 */
export function transposedWeightLayout(
  layout: string | undefined,
  rank: number,
): { order: WeightOrder; weightLayout: WeightLayout } {
  const where = `for a transposed convolution with ${String(rank)} spatial dimensions`;
  const names = WEIGHT_ORDERS.map((order) => transposedOrderName(order, rank));
  const order = WEIGHT_ORDERS[layout === undefined ? 0 : orderIndex(layout, names, where)];
  return { order, weightLayout: orderName(order, rank) as WeightLayout };
}

/** Whether a weight layout is one of transposed convolutions. */
export const isTransposedOrder = (layout: string | undefined, rank: number): boolean =>
  WEIGHT_ORDERS.some((order) => transposedOrderName(order, rank) === layout);

/** The shape of an input or output, in words: "[N, C, H, W]". */
export function activationDimensions(layout: Layout, rank: number, prefix = ""): string {
  const spatial = Array.from(spatialLetters(rank)).map((letter) => prefix + letter);
  return `[${(layout === "channels-first" ? ["N", "C", ...spatial] : ["N", ...spatial, "C"]).join(", ")}]`;
}

/** The shape of a weight, in words: "[out, in / groups, KH, KW]". */
export function weightDimensions(
  order: WeightOrder,
  rank: number,
  channels: { readonly out: string; readonly in: string } = { out: "out", in: "in / groups" },
): string {
  const spatial = Array.from(spatialLetters(rank)).map((letter) => `K${letter}`);
  const words = { O: [channels.out], I: [channels.in], S: spatial };
  return `[${Array.from(order)
    .flatMap((letter) => words[letter as keyof typeof words])
    .join(", ")}]`;
}

/** Batch, channels and spatial extents of an input or output. */
export interface ActivationExtents {
  readonly batch: number;
  readonly channels: number;
  readonly spatial: readonly number[];
}

export function splitActivation(shape: readonly number[], layout: Layout): ActivationExtents {
  const last = shape.length - 1;
  return layout === "channels-first"
    ? { batch: shape[0], channels: shape[1], spatial: shape.slice(2) }
    : { batch: shape[0], channels: shape[last], spatial: shape.slice(1, last) };
}

export function joinActivation({ batch, channels, spatial }: ActivationExtents, layout: Layout): number[] {
  return layout === "channels-first" ? [batch, channels, ...spatial] : [batch, ...spatial, channels];
}

/** Output channels, input channels of a group and spatial extents of a weight. */
export interface WeightExtents {
  readonly out: number;
  readonly in: number;
  readonly spatial: readonly number[];
}

export function splitWeight(shape: readonly number[], order: WeightOrder): WeightExtents {
  const rank = shape.length - 2;
  const extents = { out: 0, in: 0, spatial: [] as readonly number[] };
  let next = 0;
  for (const letter of order) {
    if (letter === "O") extents.out = shape[next++];
    else if (letter === "I") extents.in = shape[next++];
    else extents.spatial = shape.slice(next, (next += rank));
  }
  return extents;
}

export function joinWeight(extents: WeightExtents, order: WeightOrder): number[] {
  const parts = { O: [extents.out], I: [extents.in], S: extents.spatial };
  return Array.from(order).flatMap((letter) => parts[letter as keyof typeof parts]);
}

/** Elements between neighbours along batch, channel and flattened position. */
export type TensorStrides = readonly [batch: number, channel: number, position: number];

export function activationStrides(layout: Layout, channels: number, positions: number): TensorStrides {
  return layout === "channels-first" ? [channels * positions, positions, 1] : [channels * positions, 1, channels];
}

/** Elements between neighbouring output channels, input channels and taps. */
export interface WeightStrides {
  readonly out: number;
  readonly in: number;
  readonly tap: number;
}

export function weightStrides(order: WeightOrder, out: number, inputs: number, taps: number): WeightStrides {
  const sizes = { O: out, I: inputs, S: taps };
  const strides = { O: 0, I: 0, S: 0 };
  let stride = 1;
  for (const letter of Array.from(order).reverse() as (keyof typeof sizes)[]) {
    strides[letter] = stride;
    stride *= sizes[letter];
  }
  return { out: strides.O, in: strides.I, tap: strides.S };
}
