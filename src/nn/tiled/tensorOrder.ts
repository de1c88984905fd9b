/** The order in which operations that sum along axes add, as text: equal for plans that give the same bits (planning/order.ts). */
import type { Backend } from "../../backend/backend.js";
import type { Dispatch } from "../../planning/solver.js";
import { selectTensorSolver, type TensorOperation } from "../../planning/tensorOperation.js";

/** Uniforms that say how a sum is cut. Others are sizes and places. */
const WALK = new Set(["terms", "termsPerSplit", "extent", "members", "row", "counts"]);
/** Constants that say how many axes there are besides those of the sums. */
const SHAPES = new Set(["KEPT"]);

/** Of a limit for tensors that are never made. */
const ENOUGH = 2 ** 50;

const stepOf = ({ kernel, constants, uniforms }: Dispatch): unknown => [
  kernel.name,
  Object.entries(constants).filter(([name]) => !SHAPES.has(name)),
  Object.entries(uniforms).filter(([name]) => WALK.has(name)),
];

/** Undefined on the CPU, and of operations that sum along no axes: they add what is in a window, one after the other, or nothing. */
export function tensorOrderOf(
  operation: TensorOperation,
  { capabilities, faulty }: Pick<Backend, "capabilities" | "faulty">,
): string | undefined {
  if (!operation.mixes || !capabilities) return undefined;
  // The whole need not fit on the device.
  const limits = {
    ...capabilities.limits,
    maxStorageBufferBindingSize: ENOUGH,
    maxBufferSize: ENOUGH,
    maxComputeWorkgroupsPerDimension: ENOUGH,
  };
  const { solver, dispatches } = selectTensorSolver(operation, { ...capabilities, limits }, faulty).plan;
  return JSON.stringify([solver, dispatches.map(stepOf)]);
}
