/** How a sum is split where its results alone would leave a device idle: each split makes a partial result. */
import type { Capabilities } from "../../planning/capabilities.js";

/** Partial sums are float32 whatever the tensors are. */
const ELEMENT_BYTES = 4;
const MOST_WORKSPACE_BYTES = 2 ** 27;

/** Bytes of all partial results. */
export const partialBytes = (splits: number, elements: number): number => splits * elements * ELEMENT_BYTES;

/** Bytes that partial results may take on a device. */
const affordableBytes = ({ limits }: Capabilities): number =>
  Math.min(MOST_WORKSPACE_BYTES, limits.maxStorageBufferBindingSize);

/** A sum to be split. */
export interface SplitSum {
  /** Workgroups that one split takes. */
  readonly tasks: number;
  /** Workgroups that keep the device busy; more splits than that only make more partials. */
  readonly busy: number;
  /** Of one partial result. */
  readonly elements: number;
  /** Terms of the sum. */
  readonly depth: number;
  /** Terms below which a split is not worth its partial result. */
  readonly leastDepth: number;
  /** Terms beyond which a split makes too long a sum, if it does. */
  readonly mostDepth?: number;
}

/** How many ways to split a sum. */
export function chooseSplits(
  { tasks, busy, elements, depth, leastDepth, mostDepth = Infinity }: SplitSum,
  capabilities: Capabilities,
): number {
  const wanted = Math.ceil(busy / tasks);
  const worthwhile = Math.floor(depth / leastDepth);
  const affordable = Math.floor(affordableBytes(capabilities) / partialBytes(1, elements));
  return Math.max(leastSplits({ depth, mostDepth, elements }, capabilities), Math.min(wanted, worthwhile, affordable));
}

/** Splits without which sums get too long; as many as a buffer holds partial results of. */
export function leastSplits(
  { depth, mostDepth, elements }: { readonly depth: number; readonly mostDepth: number; readonly elements: number },
  { limits }: Capabilities,
): number {
  const affordable = Math.floor(limits.maxStorageBufferBindingSize / partialBytes(1, elements));
  return Math.max(1, Math.min(Math.ceil(depth / mostDepth), affordable));
}

/** Why a sum cannot be split so many ways; undefined when it can. */
export function splitsRefusal(splits: number, elements: number, capabilities: Capabilities): string | undefined {
  if (!(Number.isInteger(splits) && splits >= 1)) {
    return `splits is ${String(splits)}; expected an integer of at least 1`;
  }
  const most = affordableBytes(capabilities);
  const bytes = partialBytes(splits, elements);
  if (splits === 1 || bytes <= most) return undefined;
  return `${String(splits)} partial results take ${String(bytes)} bytes; expected at most ${String(most)}`;
}

/** Deals `depth` terms out to splits, `unit` at a time: as many to each, and as many splits as have any. */
export function dealOut(
  depth: number,
  splits: number,
  unit = 1,
): { readonly perSplit: number; readonly splits: number } {
  const perSplit = unit * Math.ceil(depth / splits / unit);
  return { perSplit, splits: Math.ceil(depth / perSplit) };
}
