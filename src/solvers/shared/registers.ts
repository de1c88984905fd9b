/** How many registers kernels without workgroup memory take, and which of their shapes fit a device. */
import type { DevicePolicy } from "../../planning/policy.js";

/**
 * 32-bit registers of a thread that keeps so many values at once. Of RDNA2's compiler: 23, 31, 47, 107 and 123 values of rolling windows
 * take 40, 56, 64, 136 and 152 registers (`npm run kernels -- --model navi21 --filter depthwise`).
 */
export const registersOf = (values: number): number => 1.15 * values + 17;

/** The shapes whose values fit the registers that the device wants a thread to hold; the one with the fewest where none does. */
export function fittingRegisters<Shape>(
  shapes: readonly Shape[],
  valuesOf: (shape: Shape) => number,
  { threadRegisters }: DevicePolicy,
): readonly Shape[] {
  const fitting = shapes.filter((shape) => registersOf(valuesOf(shape)) <= threadRegisters);
  if (fitting.length > 0 || shapes.length === 0) return fitting;
  return [shapes.reduce((fewest, shape) => (valuesOf(shape) < valuesOf(fewest) ? shape : fewest))];
}
