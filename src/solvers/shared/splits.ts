/** How a sum is split where its results alone would leave a device idle: each split makes a partial result. */
import type { Capabilities } from "../../planning/capabilities.js";

/** Partial sums are float32 whatever the tensors are. */
const ELEMENT_BYTES = 4;
const MOST_WORKSPACE_BYTES = 2 ** 27;

/** Bytes of all partial results. */
export const partialBytes = (splitK: number, elements: number): number => splitK * elements * ELEMENT_BYTES;

/** Bytes that partial results may take on a device. */
const affordableBytes = ({ limits }: Capabilities): number =>
  Math.min(MOST_WORKSPACE_BYTES, limits.maxStorageBufferBindingSize);

/** A sum to be split. */
export interface SplitSum {
  /** Workgroups that one split takes. */
  readonly tasks: number;
  /** Workgroups that keep the device busy; more splits than that only make more partials. */
  readonly busy: number;
  /** Elements of one partial result. */
  readonly elements: number;
  /** K: terms of the sum. */
  readonly k: number;
  /** K below which a split costs more than it saves. */
  readonly leastK: number;
  /** K above which the sum of a split would be too long; no bound when absent. */
  readonly mostK?: number;
}

/** How many ways to split a sum. */
export function chooseSplitK(
  { tasks, busy, elements, k, leastK, mostK = Infinity }: SplitSum,
  capabilities: Capabilities,
): number {
  const least = leastSplitK({ k, mostK, elements }, capabilities);
  if (capabilities.splitK !== undefined) return Math.max(least, capabilities.splitK);
  const wanted = Math.ceil(busy / tasks);
  const worthwhile = Math.floor(k / leastK);
  const affordable = Math.floor(affordableBytes(capabilities) / partialBytes(1, elements));
  return Math.max(least, Math.min(wanted, worthwhile, affordable));
}

/** The fewest splits that keep sums short enough, or as many as a buffer holds partial results of. */
export function leastSplitK(
  { k, mostK, elements }: { readonly k: number; readonly mostK: number; readonly elements: number },
  { limits }: Capabilities,
): number {
  const affordable = Math.floor(limits.maxStorageBufferBindingSize / partialBytes(1, elements));
  return Math.max(1, Math.min(Math.ceil(k / mostK), affordable));
}

/** Why a sum cannot be split so many ways; undefined when it can. */
export function splitKRefusal(splitK: number, elements: number, capabilities: Capabilities): string | undefined {
  if (!(Number.isInteger(splitK) && splitK >= 1)) {
    return `splitK is ${String(splitK)}; expected an integer of at least 1`;
  }
  const most = affordableBytes(capabilities);
  const bytes = partialBytes(splitK, elements);
  if (splitK === 1 || bytes <= most) return undefined;
  return `${String(splitK)} partial results take ${String(bytes)} bytes; expected at most ${String(most)}`;
}

/** Half as many splits as were chosen, and twice as many: what a tuner tries besides. */
export const neighbouringSplits = (splitK: number): readonly number[] =>
  splitK > 1 ? [Math.floor(splitK / 2), 2 * splitK] : [2];

/** Divides K among splits, `unit` at a time: as much for each, and as many splits as have any. */
export function divideEvenly(
  k: number,
  splitK: number,
  unit = 1,
): { readonly perSplit: number; readonly splitK: number } {
  const perSplit = unit * Math.ceil(k / splitK / unit);
  return { perSplit, splitK: Math.ceil(k / perSplit) };
}
