/** How regions of tensors are copied: by copies of buffers, in runs that lie together in both; or by a kernel where these do not do. */
import type { Region } from "../planning/pieces.js";
import { product } from "../problem/geometry.js";

/** Copies of buffers begin at whole words and have whole words. */
export const WORD_BYTES = 4;
/** A copy of a buffer of fewer bytes than this costs more than its bytes. */
const SHORT_RUN_BYTES = 1024;
/** The most copies of buffers of a region, where runs are short. */
const MOST_SHORT_RUNS = 64;
/** The most copies of buffers of a region, and the most dispatches of the kernel. */
const MOST_RUNS = 2 ** 16;
const MOST_DISPATCHES = 1024;

/** A step in both tensors, in elements, taken `count - 1` times. */
export interface Loop {
  readonly count: number;
  readonly from: number;
  readonly to: number;
}

/** The elements to be copied: runs from two first places on, with loops around them, the outermost first. */
export interface Walk {
  readonly from: number;
  readonly to: number;
  readonly length: number;
  readonly loops: readonly Loop[];
  readonly elementBytes: number;
}

/** Elements from one to the next along each dimension. */
const stridesOf = (whole: readonly number[]): readonly number[] =>
  whole.map((_, axis) => product(whole.slice(axis + 1)));

const firstOf = ({ begin }: Region, strides: readonly number[]): number =>
  begin.reduce((sum, place, axis) => sum + place * strides[axis], 0);

/** All of a tensor of that shape. */
export const wholeOf = (shape: readonly number[], elementBytes: number): Region => ({
  whole: shape,
  begin: shape.map(() => 0),
  shape,
  elementBytes,
});

/** How the elements of two regions of one shape lie. */
export function walkOf(from: Region, to: Region): Walk {
  const [sources, targets] = [stridesOf(from.whole), stridesOf(to.whole)];
  const loops: Loop[] = [];
  for (const [axis, count] of from.shape.entries()) {
    if (count === 1) continue;
    const [source, target] = [sources[axis], targets[axis]];
    const outer = loops.at(-1);
    // Where the next dimension goes on where this one ends, they are one.
    const joins = outer?.from === count * source && outer.to === count * target;
    if (joins) loops.pop();
    loops.push({ count: joins ? outer.count * count : count, from: source, to: target });
  }
  const inner = loops.at(-1);
  const isRun = inner?.from === 1 && inner.to === 1;
  return {
    from: firstOf(from, sources),
    to: firstOf(to, targets),
    length: isRun ? inner.count : 1,
    loops: isRun ? loops.slice(0, -1) : loops,
    elementBytes: from.elementBytes,
  };
}

/** Where a region lies together in its tensor: its first element; undefined where it does not. */
export function placeOf(region: Region): number | undefined {
  const { from, loops } = walkOf(region, wholeOf(region.shape, region.elementBytes));
  return loops.length === 0 ? from : undefined;
}

/** First elements of each run. */
export function placesOf({
  from,
  to,
  loops,
}: Pick<Walk, "from" | "to" | "loops">): readonly (readonly [number, number])[] {
  let places: (readonly [number, number])[] = [[from, to]];
  for (const loop of loops) {
    places = places.flatMap(([source, target]) =>
      Array.from({ length: loop.count }, (_, i) => [source + i * loop.from, target + i * loop.to] as const),
    );
  }
  return places;
}

const runsOf = (loops: readonly Loop[]): number => product(loops.map(({ count }) => count));

/** Whether the kernel copies it. */
export function needsKernel({ from, to, length, loops, elementBytes }: Walk): boolean {
  const runs = runsOf(loops);
  if (runs > MOST_SHORT_RUNS && length * elementBytes < SHORT_RUN_BYTES) return true;
  const numbers = [from, to, length, ...loops.flatMap((loop) => [loop.from, loop.to])];
  return numbers.some((number) => (number * elementBytes) % WORD_BYTES !== 0);
}

/** Why elements cannot be copied between two regions of one shape; undefined where they can. */
export function copyRefusal(name: string, region: Region, other: Region): string | undefined {
  const { loops, elementBytes, length } = walkOf(region, other);
  // Pieces of one shape begin at whole words or within them.
  const mayNeedKernel = elementBytes % WORD_BYTES !== 0 || length * elementBytes < SHORT_RUN_BYTES;
  const copies = mayNeedKernel ? runsOf(loops.slice(0, -1)) : runsOf(loops);
  if (copies <= (mayNeedKernel ? MOST_DISPATCHES : MOST_RUNS)) return undefined;
  return `a part of ${name} would take ${copies.toLocaleString("en")} copies`;
}
