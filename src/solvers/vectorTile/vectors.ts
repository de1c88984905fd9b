/** A pass in vectors of four neighbouring positions: what the tiles and the laying out of their sources share. */
import type { ConvOperation } from "../../problem/operation.js";
import { isPointwise } from "../../problem/pointwise.js";
import { describeGather, type Gather } from "../shared/gather.js";

export const VECTOR = 4;

/** A pass in vectors. */
export interface Vectors {
  readonly gather: Gather;
  readonly channels: number;
  /** Vectors of a phase, of one sample and of the batch. */
  readonly rowVectors: number;
  readonly columns: number;
  readonly visits: number;
  /** Whether sources lie in vectors as they are: a plain 1x1 layer. */
  readonly direct: boolean;
  /** Whether taps, laid out, are walked over like channels: where weights of neighbouring terms are neighbours. */
  readonly flat: boolean;
  /** What is walked over for each visit: channels of a group; flat, all terms of a sum. */
  readonly terms: number;
}

export function describeVectors(operation: ConvOperation): Vectors {
  const { problem, pixels } = operation;
  const gather = describeGather(operation);
  const { layout, batch, groups } = problem;
  const rowVectors = Math.ceil(gather.gridPositions / VECTOR);
  const visits = gather.depth / gather.sourceChannels;
  const [, channelStride, tapStride] = gather.uniforms.weightStrides;
  const flat = !gather.transposed && channelStride === visits * tapStride;
  return {
    gather,
    channels: groups * gather.sourceChannels,
    rowVectors,
    columns: batch * rowVectors,
    visits,
    flat,
    terms: flat ? gather.depth : gather.sourceChannels,
    direct: isPointwise(problem) && layout === "channels-first" && gather.gridPositions % VECTOR === 0 && !pixels,
  };
}
