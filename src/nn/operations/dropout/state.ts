/** What dropout draws by: a seed and a step, as values that float32 has, in parts of 16 bits. */
import type { Numbers } from "../../../planning/tensorOperation.js";

/** Values of a state: four parts of the seed, two of the step, low ones first. */
export const STATE_VALUES = 6;
/** Where the step begins. */
export const STEP_PLACE = 4;

const PART = 2 ** 16;

const parts = (value: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.floor(value / PART ** i) % PART);

export const stateValues = (seed: number, step: number): number[] => [...parts(seed, STEP_PLACE), ...parts(step, 2)];

export function readState(values: Numbers): { readonly seed: number; readonly step: number } {
  const join = (list: Numbers): number => Array.from(list).reduce((sum, part, i) => sum + part * PART ** i, 0);
  return { seed: join(values.subarray(0, STEP_PLACE)), step: join(values.subarray(STEP_PLACE)) };
}
