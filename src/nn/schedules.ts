/** Learning rates as pure functions of the step, the same bits on every platform: nothing to save but the step's number. */
import { require, show } from "../base/errors.js";
import { isList } from "../base/list.js";
import { requireNumber } from "../base/numbers.js";
import { optionKeys, requireOptions } from "../base/optionKeys.js";
import { requireInteger } from "../problem/geometry.js";
import { cosineOfPi, power } from "./elementary.js";

/** The learning rate of a step: a whole number, 0 for the first. Other steps throw an ArgumentError. */
export type Schedule = (step: number) => number;

/** A schedule that checks its step. */
const schedule =
  (rateOf: Schedule): Schedule =>
  (step) => {
    requireInteger("step", step, 0);
    return rateOf(step);
  };

/** The same rate for every step. */
export function constantRate(rate: number): Schedule {
  requireNumber("rate", rate);
  return schedule(() => rate);
}

/** What {@link stepDecay} takes. */
export interface StepDecayOptions {
  /** The rate of the first steps. */
  readonly rate: number;
  /** After how many steps the rate changes, each time. */
  readonly every: number;
  /** What it is multiplied by then; 0.1 by default. */
  readonly factor?: number | undefined;
}
const STEP_KEYS = optionKeys<StepDecayOptions>({ rate: 1, every: 1, factor: 1 });

/** `rate factor^floor(step / every)`: PyTorch's StepLR. */
export function stepDecay(options: StepDecayOptions): Schedule {
  requireOptions(options, STEP_KEYS);
  const { rate, every, factor = 0.1 } = options;
  requireNumber("rate", rate);
  requireInteger("every", every, 1);
  requireNumber("factor", factor);
  return schedule((step) => rate * power(factor, Math.floor(step / every)));
}

/** What {@link cosineDecay} takes. */
export interface CosineDecayOptions {
  /** The rate of step 0. */
  readonly rate: number;
  /** The step from which on the rate is the least. */
  readonly steps: number;
  /** The rate from then on; 0 by default. */
  readonly least?: number | undefined;
}
const COSINE_KEYS = optionKeys<CosineDecayOptions>({ rate: 1, steps: 1, least: 1 });

/**
 * `least + (rate - least) (1 + cos(pi step / steps)) / 2` up to `steps`, and `least` from then on (Loshchilov and Hutter, "SGDR",
 * 2017, without restarts; PyTorch's CosineAnnealingLR, which would rise again).
 */
export function cosineDecay(options: CosineDecayOptions): Schedule {
  requireOptions(options, COSINE_KEYS);
  const { rate, steps, least = 0 } = options;
  requireNumber("rate", rate);
  requireInteger("steps", steps, 1);
  requireNumber("least", least);
  require(least <= rate, () => `least is ${show(least)}; expected at most rate, ${show(rate)}`);
  return schedule((step) => least + ((rate - least) * (1 + cosineOfPi(Math.min(step / steps, 1)))) / 2);
}

/** What {@link warmUp} takes. */
export interface WarmUpOptions {
  /** How many steps the rate rises. */
  readonly steps: number;
  /** The fraction of the full rate that step 0 has, from 0 to 1; 1/3 by default. */
  readonly start?: number | undefined;
}
const WARM_UP_KEYS = optionKeys<WarmUpOptions>({ steps: 1, start: 1 }, { number: "steps" });

/**
 * A linear rise to the first rate of another schedule, which follows: `then(0) (start + (1 - start) step / steps)` below `steps`
 * (PyTorch's LinearLR), `then(step - steps)` from there on.
 *
 * ```ts
 * const rate = warmUp(cosineDecay({ rate: 0.1, steps: 10_000 }), { steps: 500 });
 * rate(0); // 0.0333...
 * rate(500); // 0.1
 * ```
 */
export function warmUp(then: Schedule, options: WarmUpOptions): Schedule {
  require(typeof then === "function", () =>
    `the schedule after the warm-up is ${show(then)}; expected a function of the step`);
  requireOptions(options, WARM_UP_KEYS);
  const { steps, start = 1 / 3 } = options;
  requireInteger("steps", steps, 1);
  require(start >= 0 && start <= 1, () => `start is ${show(start)}; expected a fraction from 0 to 1`);
  return schedule((step) => (step < steps ? then(0) * (start + ((1 - start) * step) / steps) : then(step - steps)));
}

/** A schedule and for how many steps it holds. */
export interface Stage {
  readonly schedule: Schedule;
  /** How many steps; the last stage may leave it out and goes on for ever. */
  readonly steps?: number | undefined;
}

/**
 * Schedules one after the other, each of which counts its own steps from 0. After the end of the last one, its last rate holds.
 */
export function inStages(stages: readonly Stage[]): Schedule {
  require(isList(stages) && stages.length > 0, () => `stages is ${show(stages)}; expected a list of at least one`);
  stages.forEach((one, i) => {
    const stage = `stages[${String(i)}]`;
    require(typeof one === "object" && (one as unknown) !== null, () =>
      `${stage} is ${show(one)}; expected { schedule, steps }`);
    const { schedule: rateOf, steps } = one;
    require(typeof rateOf === "function", () =>
      `${stage}.schedule is ${show(rateOf)}; expected a function of the step`);
    if (steps !== undefined || i < stages.length - 1) requireInteger(`${stage}.steps`, steps, 1);
  });
  const taken = stages.map(({ schedule: rateOf, steps = Infinity }) => ({ rateOf, steps }));
  return schedule((step) => {
    let rest = step;
    for (const { rateOf, steps } of taken) {
      if (rest < steps) return rateOf(rest);
      rest -= steps;
    }
    const last = taken[taken.length - 1];
    return last.rateOf(last.steps - 1);
  });
}
