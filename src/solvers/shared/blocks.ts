/**
 * How long float32 sums may get before they are cut: the error of a chain of additions grows with its length. A kernel sums
 * a block of terms in registers and adds it to what its result holds so far, block after block. Where blocks would be too
 * many, K is split, and a second stage adds the partial results. src/reference/bound.ts bounds the error that is left.
 */
import type { Capabilities } from "../../planning/capabilities.js";
import { policyOf } from "../../planning/policy.js";

/** Terms of a block (as in shaders/common/long_sum.wgsl), and blocks of a split that are added one after the other, at most. */
export const BLOCK_TERMS = 256;
export const BATCH_BLOCKS = 128;

/** The longest K of a split. */
export const MOST_TERMS = BLOCK_TERMS * BATCH_BLOCKS;

/** Whether threads of so many sums add up those of blocks in registers. Otherwise they add them up in the result. */
export const inRegisters = (sums: number, capabilities: Capabilities): boolean =>
  sums <= policyOf(capabilities).mostDoubledSums;

/** Steps that make up a block, each of so many terms. */
export const stepsPerBlock = (termsPerStep: number): number => Math.max(1, Math.floor(BLOCK_TERMS / termsPerStep));

/** K of a kernel that goes tap by tap, and through the channels of each. */
export interface TapWalk {
  readonly channels: number;
  /** Taps, or rows of a filter. */
  readonly taps: number;
  /** Terms of a channel at one tap or row, 1 when absent. */
  readonly termsPerChannel?: number;
  /** Channels that are taken at a time, 1 when absent. */
  readonly unit?: number;
  /** Splits that are each to have blocks. */
  readonly splitK: number;
}

/** Cuts such a K into steps, each some channels of a tap, and these into blocks. */
export function cutWalk({ channels, taps, termsPerChannel = 1, unit = 1, splitK }: TapWalk) {
  const terms = channels * taps * termsPerChannel;
  const mostTerms = terms / (splitK * Math.ceil(terms / splitK / BLOCK_TERMS));
  const evenly = unit * Math.max(1, Math.floor(mostTerms / termsPerChannel / unit));
  const chunkChannels = unit * Math.ceil(channels / Math.ceil(channels / evenly) / unit);
  const chunks = Math.ceil(channels / chunkChannels);
  const steps = taps * chunks;
  const most = Math.max(1, Math.floor(mostTerms / (chunkChannels * termsPerChannel)));
  const perBlock = Math.ceil(steps / Math.ceil(steps / most));
  return { chunks, chunkChannels, stepsPerBlock: perBlock, blocks: Math.ceil(steps / perBlock) };
}
