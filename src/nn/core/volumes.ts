/** Tensors of either layout as volumes: [outer, depth, height, width, inner], as shaders/common/volume.wgsl reads them. */
import type { Resize } from "../../planning/tensorOperation.js";
import { product } from "../../problem/geometry.js";
import { type Layout, readLayout } from "../../problem/layout.js";
import type { Rank } from "../../problem/problem.js";
import { activationShape, readActivationShape } from "../../problem/shapes.js";

/** Depth, height and width; of axes that a tensor lacks, 1. */
export type Size = readonly [depth: number, height: number, width: number];

/** A tensor as an operation over its positions sees it. */
export interface Volumes {
  readonly rank: Rank;
  readonly layout: Layout;
  readonly batched: boolean;
  readonly batch: number;
  readonly channels: number;
  /** Extents of the axes that there are. */
  readonly spatial: readonly number[];
  /** All three extents. */
  readonly size: Size;
  /** Volumes side by side: of batch and channels, or of the batch. */
  readonly outer: number;
  /** Neighbouring elements of a position: 1, or the channels. */
  readonly inner: number;
}

/**
 * Reads a shape, with or without a batch.
 *
 * @param name what the caller calls the tensor, for messages
 */
export function readVolumes(name: string, shape: readonly number[], rank: Rank, layout: Layout | undefined): Volumes {
  const order = readLayout(layout);
  return volumesOf({ rank, layout: order, ...readActivationShape(name, shape, rank, order) });
}

function volumesOf({
  rank,
  layout,
  batched,
  batch,
  channels,
  spatial,
}: Omit<Volumes, "size" | "outer" | "inner">): Volumes {
  const [outer, inner] = layout === "channels-first" ? [batch * channels, 1] : [batch, channels];
  return { rank, layout, batched, batch, channels, spatial, size: sizeOf(spatial), outer, inner };
}

/** Likewise, with batch and channels as `to` says. */
export const resizedVolumes = (
  volumes: Volumes,
  to: Resize,
  spatial = volumes.spatial.map((one) => to(one)),
): Volumes => volumesOf({ ...volumes, batch: to(volumes.batch), channels: to(volumes.channels), spatial });

/** Likewise, with other extents of space. */
export function resized(volumes: Volumes, spatial: readonly number[]): Volumes {
  return { ...volumes, spatial, size: sizeOf(spatial) };
}

/** The shape of the tensor. */
export const shapeOf = (volumes: Volumes): readonly number[] => activationShape(volumes, volumes.layout);

/** One value an axis, with others before it for the axes that there are not. */
export const threeOf = <Value>(values: readonly Value[], missing: Value): [Value, Value, Value] => {
  const [depth, height, width] = [missing, missing, missing, ...values].slice(-3);
  return [depth, height, width];
};

const sizeOf = (spatial: readonly number[]): Size => threeOf(spatial, 1);

/** Elements of the tensor. */
export const elementsOf = ({ outer, size, inner }: Volumes): number => outer * product(size) * inner;

/** What kernels are compiled for. */
export const volumeConstants = ({ rank, layout }: Volumes): { RANK: number; CHANNELS_LAST: boolean } => ({
  RANK: rank,
  CHANNELS_LAST: layout === "channels-last",
});

/** On the host: where the value at a position lies. */
export const placeIn = (
  { size: [depth, height, width], inner }: Volumes,
  outer: number,
  [z, y, x]: Size,
  channel: number,
): number => (((outer * depth + z) * height + y) * width + x) * inner + channel;

/** On the host: calls `visit` for each element, in the order of memory. */
export function forEachPlace(
  { outer, size: [depth, height, width], inner }: Volumes,
  visit: (outer: number, at: Size, channel: number) => void,
): void {
  for (let o = 0; o < outer; o++) {
    for (let z = 0; z < depth; z++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) for (let i = 0; i < inner; i++) visit(o, [z, y, x], i);
      }
    }
  }
}
