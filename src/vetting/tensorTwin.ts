/** Small operations that the kernels of a large one compute, texts and all, of those that name their tensors themselves. */
import { ConvError } from "../base/errors.js";
import type { Capabilities } from "../planning/capabilities.js";
import { isRefusal, type SolverPlan } from "../planning/solver.js";
import { planBy, type TensorOperation } from "../planning/tensorOperation.js";
import { product } from "../problem/geometry.js";
import { textKeys } from "./keys.js";
import { shrink, smallest } from "./shrink.js";

/** The most elements of all tensors: milliseconds for the host. */
const MOST_ELEMENTS = 2 ** 18;
/** Extents up to the first stay; others become the smallest beyond it that have the same remainder. The first that are small serve. */
const WANTED = [
  [16, 16],
  [10, 4],
  [4, 4],
  [2, 4],
  [2, 1],
];
const WANTED_ELEMENTS = 2 ** 12;
/** Extents up to this stay where they are made smaller one by one. */
const LEAST = 5;

/** An operation, and the plan by which the same kernels run it. */
export interface TensorTwin {
  readonly operation: TensorOperation;
  readonly plan: SolverPlan;
}

/** The operation with extents as small as its kernels allow; undefined where they know so much of them that it would still be large. */
export function tensorTwinOf(
  whole: TensorOperation,
  plan: SolverPlan,
  capabilities: Capabilities,
): TensorTwin | undefined {
  const keys = textKeys(plan);
  const attempt = (to: (extent: number) => number, most = Infinity): TensorTwin | undefined => {
    const operation = resized(whole, to);
    if (!operation || elementsOf(operation) > most) return undefined;
    const its = planAs(plan, operation, capabilities);
    const texts = its && new Set(textKeys(its));
    return its && keys.every((key) => texts?.has(key)) ? { operation, plan: its } : undefined;
  };
  for (const [kept, modulus] of WANTED) {
    const twin = attempt((extent) => (extent > kept ? shrink(extent, kept + 1, modulus) : extent), WANTED_ELEMENTS);
    if (twin) return twin;
  }
  const extents: Record<string, number> = {};
  resized(whole, (extent) => {
    if (extent > LEAST) extents[extent] = extent;
    return extent;
  });
  const names = Object.keys(extents).reverse();
  const least = smallest(
    extents,
    names,
    () => LEAST,
    (sizes) => attempt((extent) => (extent > LEAST ? sizes[extent] : extent)),
  ) ?? { operation: whole, plan };
  return elementsOf(least.operation) <= MOST_ELEMENTS ? least : undefined;
}

/** Undefined where there is no such operation. */
function resized(whole: TensorOperation, to: (extent: number) => number): TensorOperation | undefined {
  const operation = whole.resized?.(to);
  const specs = operation && [...Object.values(operation.operands), ...Object.values(operation.results)];
  return specs?.every(({ shape }) => shape.every((extent) => Number.isInteger(extent) && extent > 0))
    ? operation
    : undefined;
}

/** By the same solver; undefined where it refuses. */
function planAs({ solver }: SolverPlan, { solvers }: TensorOperation, capabilities: Capabilities) {
  const same = solvers.find(({ name }) => name === solver);
  try {
    const plan = same && planBy(same, capabilities);
    return plan && !isRefusal(plan) ? plan : undefined;
  } catch (error) {
    if (error instanceof ConvError) return undefined;
    throw error;
  }
}

const elementsOf = ({ operands, results }: TensorOperation): number =>
  [...Object.values(operands), ...Object.values(results)].reduce((sum, { shape }) => sum + product(shape), 0);
