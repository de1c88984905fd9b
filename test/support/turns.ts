/**
 * Who runs which of many tests. Compiling takes a software device most of the time: there two platforms take turns, so that each case
 * is run on one of them. A whole run of all platforms deals whole tests (turnsSetup.ts), by its seed: the next seed may deal them the
 * other way round. Of cases that are alike, such runs take turns, too. A GPU runs all.
 */
import type { Capabilities } from "../../src/planning/capabilities.js";
import { Random } from "./data.js";
import { hash } from "./sample.js";

/** One platform of the two runs what is even, the other what is odd. */
const OWN_PARITY = __CONV_VARIANT__ === "plain" ? 0 : 1;

/** Of this many runs one takes a case of those that compile another plan of the same kernels. */
const RUNS_BETWEEN = 6;

const draw = (what: string, seed: string, many: number): number =>
  new Random(hash(`${what}\n${seed}`)).integer(0, many - 1);

/** Which part of the cases that are alike a run takes, of so many, by its seed; undefined where it takes all. */
export const partOf = (seed: string, many: number): number | undefined =>
  seed === "" ? undefined : draw("half", seed, many);

/** Whether this platform runs case `index`. */
export const isOwn = (index: number, { deviceClass }: Pick<Capabilities, "deviceClass">): boolean =>
  deviceClass !== "software" || index % 2 === OWN_PARITY;

/** Whether this platform runs case `index` in this run: where that is one of all platforms, of six that follow each other on it one. */
export function isInTurn(index: number, capabilities: Pick<Capabilities, "deviceClass">): boolean {
  const part = partOf(__CONV_TURNS__, RUNS_BETWEEN);
  const isTaken =
    part === undefined || capabilities.deviceClass !== "software" || Math.floor(index / 2) % RUNS_BETWEEN === part;
  return isOwn(index, capabilities) && isTaken;
}

/**
 * Which of the ways to do case `index` this run takes: where that is one of all platforms, every other one on software, and of the next
 * case those that it leaves out here.
 */
export function waysInTurn<T>(
  ways: readonly T[],
  index: number,
  { deviceClass }: Pick<Capabilities, "deviceClass">,
  seed = __CONV_TURNS__,
): readonly T[] {
  const part = partOf(seed, 2);
  if (part === undefined || deviceClass !== "software") return ways;
  return ways.filter((_, i) => (index + i) % 2 === part);
}

/** Files of a device that both platforms load. Those that divide their cases by themselves are not dealt. */
const DEALT = /^test\/(gpu\/(?!deviceClasses|infinities)|properties\/(?!space))(?:\w+\/)*\w+\.test\.ts > /;

/**
 * Tests that are alike, and cover nothing alone that docs/coverage.md lists: of whole runs of all platforms that follow each other, so
 * many share them.
 */
const ALIKE: readonly (readonly [runs: number, tests: RegExp])[] = [
  [4, /^test\/gpu\/(grids|parts\.node|scalarGradients|specialValues)\./],
  [4, /^test\/unit\/plans\.test\.ts > (on a |strides, )/],
  [4, /^test\/gpu\/load\.node\./],
  [2, /^test\/gpu\/exact\.test\.ts > every tuning candidate /],
  [2, /^test\/gpu\/largeTensors\.node\.test\.ts > a class of GPUs /],
  [2, /^test\/gpu\/longSums\.test\.ts > sums whose blocks are added up in the result/],
  [2, /^test\/properties\/random\./],
];

/** The variants of layers that test/gpu/exact tests by every solver, each on one platform: that has them. */
const VARIANTS = { plain: 0, odd: 1 } as const;

/** Why this platform leaves a test out of a whole run of all platforms: the other one has it, or another run; undefined where it runs it. */
export function turnOf(
  { fullName, index }: { readonly fullName: string; readonly index: number },
  seed: string,
): "other platform" | "other run" | undefined {
  const [runs = 1] = ALIKE.find(([, tests]) => tests.test(fullName)) ?? [];
  if (Math.floor(index / 2) % runs !== partOf(seed, runs)) return "other run";
  if (!DEALT.test(fullName)) return undefined;
  const variant = /^test\/gpu\/exact\..*, (plain|odd)$/.exec(fullName)?.[1] as keyof typeof VARIANTS | undefined;
  const parity = variant ? VARIANTS[variant] : (index + draw("turn", seed, 2)) % 2;
  return parity === OWN_PARITY ? undefined : "other platform";
}
