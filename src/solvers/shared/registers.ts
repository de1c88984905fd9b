/** How many registers kernels without workgroup memory take, and which of their shapes fit a device. */
import type { DevicePolicy } from "../../planning/policy.js";
import { evenCounts } from "./constants.js";

/** Results of a row that a thread computes. */
export interface WindowShape {
  readonly mPerThread: number;
  readonly columns: number;
}

/** Rows or columns of a filter beyond which a thread holds no more. */
const MOST_PART = 64;

/**
 * 32-bit registers of a thread that keeps so many values at once. Of RDNA2's compiler: 23, 31, 47, 107 and 123 values of rolling windows
 * take 40, 56, 64, 136 and 152 registers (`npm run kernels -- --model navi21 --filter depthwise`).
 */
export const registersOf = (values: number): number => 1.15 * values + 17;

/** The shapes whose values fit the registers that the device wants a thread to hold; the one with the fewest where none does. */
export function fittingRegisters<Shape>(
  shapes: readonly Shape[],
  valuesOf: (shape: Shape) => number,
  { threadRegisters }: Pick<DevicePolicy, "threadRegisters">,
): readonly Shape[] {
  const fitting = shapes.filter((shape) => registersOf(valuesOf(shape)) <= threadRegisters);
  if (fitting.length > 0 || shapes.length === 0) return fitting;
  return [shapes.reduce((fewest, shape) => (valuesOf(shape) < valuesOf(fewest) ? shape : fewest))];
}

/** What a kernel whose threads may take parts of a filter is compared by. */
export interface PartCosts<Config> {
  /** Parts that a thread may take with a shape. */
  readonly partsOf: (shape: WindowShape) => readonly Config[];
  readonly valuesOf: (config: Config) => number;
  /** Instructions for a multiply-add that is needed. */
  readonly instructionsOf: (config: Config) => number;
}

/** Each shape with the part that takes the fewest instructions of those that fit registers; those first that take the fewest. */
export function fittingParts<Config>(
  shapes: readonly WindowShape[],
  { partsOf, valuesOf, instructionsOf }: PartCosts<Config>,
  policy: DevicePolicy,
): readonly Config[] {
  const byInstructions = (one: Config, other: Config): number => instructionsOf(one) - instructionsOf(other);
  const all = shapes.map((shape) => [...partsOf(shape)].sort(byInstructions));
  const fitting = new Set(fittingRegisters(all.flat(), valuesOf, policy));
  return all.flatMap((parts) => parts.find((config) => fitting.has(config)) ?? []).sort(byInstructions);
}

/** Rows or columns of a filter that a thread may take, so that parts are about as large: each number once. */
export const evenParts = (extent: number): readonly number[] =>
  evenCounts(
    extent,
    Array.from({ length: Math.min(extent, MOST_PART) }, (_, i) => i + 1),
  );
