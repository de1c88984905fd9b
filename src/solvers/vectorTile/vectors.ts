/** A pass in vectors of four neighbouring positions, as tiles and the laying out of their sources see it. */
import type { ConvOperation } from "../../problem/operation.js";
import { isPointwise } from "../../problem/pointwise.js";
import { describeGather, type Gather } from "../shared/gather.js";

export const VECTOR = 4;

/** A pass in vectors. */
export interface Vectors {
  readonly gather: Gather;
  readonly channels: number;
  /** Vectors of a phase, of one sample and of the batch. */
  readonly sampleVectors: number;
  readonly nVectors: number;
  /** Taps of a phase. */
  readonly phaseTaps: number;
  /** Whether sources lie in vectors as they are: a plain 1x1 layer. */
  readonly direct: boolean;
  /** Whether taps, laid out, are looped over like channels: where weights of neighbouring k are neighbours. */
  readonly flat: boolean;
  /** What is looped over for each tap: channels of a group; flat, all of K. */
  readonly terms: number;
}

export function describeVectors(operation: ConvOperation): Vectors {
  const { problem, pixels } = operation;
  const gather = describeGather(operation);
  const { layout, batch, groups } = problem;
  const sampleVectors = Math.ceil(gather.phasePositions / VECTOR);
  const phaseTaps = gather.k / gather.sourceChannels;
  const [, channelStride, tapStride] = gather.uniforms.weightStrides;
  const flat = !gather.transposed && channelStride === phaseTaps * tapStride;
  return {
    gather,
    channels: groups * gather.sourceChannels,
    sampleVectors,
    nVectors: batch * sampleVectors,
    phaseTaps,
    flat,
    terms: flat ? gather.k : gather.sourceChannels,
    direct: isPointwise(problem) && layout === "channels-first" && gather.phasePositions % VECTOR === 0 && !pixels,
  };
}
