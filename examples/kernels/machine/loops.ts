/**
 * Loops of a kernel's machine code: which instructions each holds, and what a turn of the hot one issues. Whose code it is
 * (amd.ts, intel.ts) does not matter here.
 */

/** What an instruction is, as far as it is counted. */
export type Kind =
  | "multiplyAdd"
  /** Other arithmetic of vectors. */
  | "vector"
  /** A 32-bit integer multiplication, or its high half: four times as long on AMD. */
  | "slowMultiply"
  /** Arithmetic of scalars, jumps and waits, which other units do. */
  | "scalar"
  /** Loads and stores of buffers. */
  | "memory"
  /** Of workgroup memory. */
  | "shared"
  /** Of scratch: registers that were spilled, and arrays that are in none. */
  | "scratch";

export interface Instruction {
  readonly kind: Kind;
  /** Of a lane: 2 where it is packed. Of a multiply-add alone. */
  readonly multiplyAdds?: number;
  /** Where control may go next, as an index among the instructions; loops are jumps back. */
  readonly jumpsTo?: number;
  /** Turns of the loop that it ends or leaves, where these are a constant. */
  readonly turns?: number;
}

export type Counts = Readonly<Record<Kind | "multiplyAdds", number>>;

const NONE: Counts = {
  multiplyAdd: 0,
  vector: 0,
  slowMultiply: 0,
  scalar: 0,
  memory: 0,
  shared: 0,
  scratch: 0,
  multiplyAdds: 0,
};

function combine(one: Counts, other: Counts, times: number): Counts {
  const names = Object.keys(NONE) as (keyof Counts)[];
  return Object.fromEntries(names.map((name) => [name, one[name] + times * other[name]])) as Counts;
}

function countAll(instructions: readonly Instruction[]): Counts {
  const counts: Record<keyof Counts, number> = { ...NONE };
  for (const { kind, multiplyAdds = 1 } of instructions) {
    counts[kind]++;
    if (kind === "multiplyAdd") counts.multiplyAdds += multiplyAdds;
  }
  return counts;
}

export interface Loop {
  readonly first: number;
  readonly last: number;
  /** Loops directly inside it. */
  readonly inner: Loop[];
  /** Instructions of a turn, those of loops inside it left out. */
  readonly own: Counts;
  /** Undefined where it is not a constant. */
  readonly turns: number | undefined;
}

const isWithin = (one: { first: number; last: number }, other: { first: number; last: number }): boolean =>
  one !== other && one.first >= other.first && one.last <= other.last;

/** The outermost loops, each with those inside it. */
export function findLoops(instructions: readonly Instruction[]): readonly Loop[] {
  const ends = new Map<number, number>();
  for (const [at, { jumpsTo }] of instructions.entries()) {
    if (jumpsTo !== undefined && jumpsTo <= at) ends.set(jumpsTo, Math.max(at, ends.get(jumpsTo) ?? 0));
  }
  const spans = [...ends].map(([first, last]) => ({ first, last }));
  const nest = (within: readonly { first: number; last: number }[]): Loop[] =>
    within
      .filter((span) => !within.some((other) => isWithin(span, other)))
      .map(({ first, last }) => {
        const deeper = spans.filter(
          (span) => isWithin(span, { first, last }) && !(span.first === first && span.last === last),
        );
        const inner = nest(deeper);
        const isOwn = (at: number): boolean => !inner.some((loop) => at >= loop.first && at <= loop.last);
        const own = instructions.slice(first, last + 1).filter((_, i) => isOwn(first + i));
        return { first, last, inner, own: countAll(own), turns: own.find(({ turns }) => turns !== undefined)?.turns };
      });
  return nest(spans);
}

const flatten = (loops: readonly Loop[]): Loop[] => loops.flatMap((loop) => [loop, ...flatten(loop.inner)]);

/** What a kernel does where it spends its time. */
export interface HotLoop {
  /** Of a turn of the innermost loop with the most multiply-adds; and of the loops around it, as far as their turns are known. */
  readonly counts: Counts;
}

/**
 * The innermost loop with the most multiply-adds. Where its turns are a constant, a turn of the loop around it counts, with so
 * many of its own, and so on outwards: what is loaded once for several inner turns is part of the price.
 */
export function findHotLoop(loops: readonly Loop[]): HotLoop | undefined {
  const hottest = flatten(loops).reduce<Loop | undefined>(
    (best, loop) => (loop.own.multiplyAdds > (best?.own.multiplyAdds ?? 0) ? loop : best),
    undefined,
  );
  if (!hottest) return undefined;
  const around = flatten(loops)
    .filter((loop) => isWithin(hottest, loop))
    .sort((one, other) => other.first - one.first);
  let counts = hottest.own;
  let { turns } = hottest;
  for (const loop of around) {
    if (turns === undefined) break;
    counts = combine(loop.own, counts, turns);
    ({ turns } = loop);
  }
  return { counts };
}

/** Accesses of scratch memory inside any loop. */
export const scratchInLoops = (loops: readonly Loop[]): number =>
  flatten(loops).reduce((sum, { own }) => sum + own.scratch, 0);

export const instructionsOf = (counts: Counts): number =>
  counts.multiplyAdd +
  counts.vector +
  counts.slowMultiply +
  counts.scalar +
  counts.memory +
  counts.shared +
  counts.scratch;
