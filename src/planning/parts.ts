/**
 * Long dispatches in parts. Systems reset a device that a dispatch keeps busy for seconds, a page shows nothing new meanwhile, and
 * nobody can call it off. A part is a dispatch of some of the workgroups, which know their numbers by the uniform `firstWorkgroup`:
 * whatever the kernel, results have the same bits.
 */
import type { Capabilities } from "./capabilities.js";
import type { DeviceRecord } from "./devices.js";
import { type BytesOf, durations } from "./duration.js";
import { policyOf } from "./policy.js";
import type { Dispatch, SolverPlan } from "./solver.js";

/** The part of a watchdog's patience that a dispatch may take by the model. */
const PATIENCE_SHARE = 0.05;
/** Milliseconds within which progress shows and a call ends that is called off, on devices without such a watchdog. */
const MOST_MILLISECONDS = 250;
/** Workgroups for each multiprocessor that a part has at least. Fewer would leave it idle, and take no less time. */
const FEWEST_WORKGROUPS = 2;

/** Milliseconds that a dispatch may take by the model, and that of a submission: 100 on GPUs. */
export const longestOn = ({ watchdogMilliseconds }: DeviceRecord): number =>
  Math.min(PATIENCE_SHARE * watchdogMilliseconds, MOST_MILLISECONDS);

/** How a device gets on. */
export interface Speed {
  /** Milliseconds that a dispatch may take. */
  readonly longest: number;
  /** How many times the predicted time this device takes, as far as that is known. */
  readonly slowness: number;
}

/**
 * The plan with the durations of its dispatches, and with parts in place of those that would take too long.
 *
 * @param bytesOf the tensors of its operation
 */
export function inParts(
  plan: SolverPlan,
  bytesOf: BytesOf,
  capabilities: Capabilities,
  { longest, slowness }: Speed,
): SolverPlan {
  const { device } = policyOf(capabilities);
  const milliseconds = durations(plan, bytesOf, device);
  const fewest = FEWEST_WORKGROUPS * device.multiprocessors;
  // A plan may have the same dispatch several times, among others: it stays one object.
  const parts = new Map<Dispatch, readonly Dispatch[]>();
  plan.dispatches.forEach((step, i) => {
    if (!parts.has(step)) parts.set(step, cut({ ...step, milliseconds: milliseconds[i] }, longest / slowness, fewest));
  });
  return { ...plan, slowness, dispatches: plan.dispatches.flatMap((step) => parts.get(step) ?? []) };
}

/**
 * A dispatch in parts of at most `longest` milliseconds by its own prediction, but of at least `fewest` workgroups: some rows of its
 * grid each, or a piece of a row.
 */
export function cut(step: Dispatch & { readonly milliseconds: number }, longest: number, fewest: number): Dispatch[] {
  const [columns, rows] = step.workgroups;
  return cutGrid(step, Math.max(1, fewest, Math.floor((columns * rows * longest) / step.milliseconds)));
}

/** A dispatch in parts of at most `most` workgroups, and of at most `widest` along a dimension of their grids. */
export function cutGrid(step: Dispatch, most: number, widest = Infinity): Dispatch[] {
  const { workgroups, milliseconds, multiplyAdds, uniforms } = step;
  const [columns, rows] = workgroups;
  const total = columns * rows;
  const part = (first: number, width: number, height: number): Dispatch => {
    if (width * height === total) return step;
    const share = (width * height) / total;
    return {
      ...step,
      // A part may be cut once more.
      uniforms: { ...uniforms, firstWorkgroup: Number(uniforms.firstWorkgroup) + first },
      workgroups: [width, height, 1],
      ...(milliseconds !== undefined && { milliseconds: share * milliseconds }),
      ...(multiplyAdds !== undefined && { multiplyAdds: share * multiplyAdds }),
    };
  };
  if (columns <= Math.min(most, widest)) {
    const height = Math.min(Math.floor(most / columns), widest);
    return evenly(rows, height, (row, count) => part(row * columns, columns, count));
  }
  return Array.from({ length: rows }, (_, row) =>
    evenly(columns, Math.min(most, widest), (column, count) => part(row * columns + column, count, 1)),
  ).flat();
}

/** `total` in pieces of at most `most`, all of about the same length. */
function evenly<Piece>(total: number, most: number, make: (first: number, count: number) => Piece): Piece[] {
  const pieces = Math.max(1, Math.ceil(total / most));
  const start = (piece: number): number => Math.floor((piece * total) / pieces);
  return Array.from({ length: pieces }, (_, piece) => make(start(piece), start(piece + 1) - start(piece)));
}

/** Least and most slowness that is believed: devices that no class tells may be a hundred times as fast, and some are shared. */
const SLOWNESS: readonly [least: number, most: number] = [2 ** -8, 2 ** 4];
/** Powers of two that a measurement must be off by, so that slowness does not go to and fro. */
const TOLERANCE = 0.75;

/** The slowness after work of so many predicted milliseconds took so long: a power of two, a step nearer to what was measured. */
export function correctedSlowness(slowness: number, predicted: number, measured: number): number {
  const off = Math.log2(measured / predicted / slowness);
  if (!(Math.abs(off) > TOLERANCE)) return slowness;
  const [least, most] = SLOWNESS;
  return Math.min(most, Math.max(least, slowness * 2 ** Math.sign(off)));
}
