/**
 * How long a dispatch takes, roughly: enough to tell work that must go in parts, and to show how far it is. By its multiply-adds and
 * its bytes alone, so that every solver's plans are measured alike; solvers compare their tiles by finer predictions.
 */
import { BYTES_PER_ELEMENT } from "../problem/dtype.js";
import { product } from "../problem/geometry.js";
import { type ConvOperation, shapeOfRole, type TensorRole } from "../problem/operation.js";
import type { DeviceRecord } from "./devices.js";
import type { BindingSource, Dispatch, SolverPlan } from "./solver.js";

/**
 * The parts of its peak that a device of the class reaches, and of its bandwidth. Low, since slower devices than the typical belong to
 * a class, too: of layers that the finer model predicts, this says two to four times as long, by the median of a class.
 */
const MULTIPLY_SHARE = 0.25;
const MEMORY_SHARE = 0.5;

/** In a millisecond. */
const MICROSECONDS = 1000;

/** Bytes of the tensor in a role of a convolution. */
export const bytesInRole =
  (operation: ConvOperation): BytesOf =>
  (source) =>
    BYTES_PER_ELEMENT[operation.dtype] * product(shapeOfRole(operation, source as TensorRole));

/** Bytes of a tensor that a kernel is given. */
export type BytesOf = (source: BindingSource) => number;

/**
 * Milliseconds of each dispatch of a plan. Dispatches of the same kernel are taken to share the tensors: they are chunks of it.
 *
 * @param bytesOfTensor of those that are not scratch memory
 */
export function durations(
  { dispatches, scratchBytes }: SolverPlan,
  bytesOfTensor: BytesOf,
  { multiprocessors, lanes, megahertz, intensity, launchMicroseconds }: DeviceRecord,
): number[] {
  const peak = multiprocessors * lanes * megahertz * MICROSECONDS;
  const bytesOf = (source: BindingSource): number => {
    if (source === "unused") return 0;
    if (source in scratchBytes) return scratchBytes[source as keyof typeof scratchBytes] ?? 0;
    return bytesOfTensor(source);
  };
  const chunks = new Map<Dispatch["kernel"], number>();
  for (const { kernel } of dispatches) chunks.set(kernel, (chunks.get(kernel) ?? 0) + 1);
  return dispatches.map(({ kernel, bindings, multiplyAdds = 0, repairs }) => {
    if (repairs) return launchMicroseconds / MICROSECONDS;
    const bytes = Object.values(bindings).reduce((sum, source) => sum + bytesOf(source), 0) / (chunks.get(kernel) ?? 1);
    const work = Math.max(multiplyAdds / MULTIPLY_SHARE, (intensity * bytes) / MEMORY_SHARE);
    return work / peak + launchMicroseconds / MICROSECONDS;
  });
}
