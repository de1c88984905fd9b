/** How workgroups walk through sets of values (shaders/common/set_walk.wgsl). */
import type { Capabilities } from "../../../planning/capabilities.js";
import { policyOf } from "../../../planning/policy.js";
import { foldWorkgroups, type Workgroups } from "../../../planning/solver.js";
import { chooseSplitK, divideEvenly, partialBytes } from "../../../solvers/shared/splits.js";
import { powerOfTwo, THREADS } from "../../core/elements.js";
import { membersOf, type NormShape, setsOf } from "./normShape.js";

/** Neighbouring elements that threads read together at least: a line of a GPU's cache. */
const LINE = 32;
/** Additions one after the other, at most. */
const LONGEST_CHAIN = 128;

export interface SetWalk {
  readonly constants: { readonly LANES: number; readonly RUN: number };
  readonly extents: readonly number[];
  readonly counts: readonly number[];
  readonly sets: number;
  readonly splits: number;
  readonly tasks: number;
  readonly workgroups: Workgroups;
  /** Bytes of two float32 numbers for each set of each split. */
  readonly partialBytes: number;
}

/** @param block members of a set that a thread takes at a time */
export function walkSets(shape: NormShape, block: number, capabilities: Capabilities): SetWalk {
  const extents = extentsOf(shape);
  const [, rows, , run] = extents;
  const sets = setsOf(shape);
  const members = membersOf(shape);
  const RUN = Math.min(THREADS, powerUpTo(run));
  const LANES = Math.min(THREADS / RUN, rows > 1 ? Math.max(1, LINE / RUN) : THREADS, powerOfTwo(sets));
  const tiles = Math.ceil(sets / LANES);
  const { busyGradientWorkgroups: busy, splitLeastKChannelSum } = policyOf(capabilities);
  const wanted = chooseSplitK(
    {
      tasks: tiles,
      busy,
      elements: 2 * sets,
      k: members,
      leastK: Math.ceil(splitLeastKChannelSum / LANES),
      mostK: (THREADS / LANES) * block * LONGEST_CHAIN,
    },
    capabilities,
  );
  const { perSplit, splitK: splits } = divideEvenly(members, wanted);
  return {
    constants: { LANES, RUN },
    extents,
    counts: [sets, members, perSplit],
    sets,
    splits,
    tasks: tiles * splits,
    workgroups: foldWorkgroups(tiles * splits, capabilities),
    partialBytes: 2 * partialBytes(splits, sets),
  };
}

/** Outer sets, rows of a set, inner sets, values of a row. */
function extentsOf(shape: NormShape): [outer: number, rows: number, inner: number, run: number] {
  const { samples, channels, positions, channelsLast, groups } = shape;
  if (groups === "batch")
    return channelsLast ? [1, samples * positions, channels, 1] : [1, samples, channels, positions];
  const each = channels / groups;
  return channelsLast && groups > 1 ? [samples, positions, groups, each] : [samples * groups, 1, 1, each * positions];
}

const powerUpTo = (value: number): number => 2 ** Math.floor(Math.log2(value));
