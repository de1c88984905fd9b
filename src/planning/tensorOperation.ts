/**
 * Operations around convolution, which name their tensors themselves: what `webgpu-conv/nn` is made of. They are planned and
 * dispatched like convolutions: pure plans by solvers in a list, the first that does not refuse serves.
 */
import { SolverError } from "../base/errors.js";
import type { DType } from "../problem/dtype.js";
import type { Capabilities } from "./capabilities.js";
import { isRefusal, type NamedTensor, type PassedOver, type Refusal, type SolverPlan, type Steps } from "./solver.js";

/** A tensor that an operation reads or makes. */
export interface TensorSpec {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** Values on the host. */
export type Numbers = Float32Array | Float64Array;

/** One algorithm. `plan` is pure; its dispatches bind the tensor named "x" as "tensor x". */
export interface TensorSolver {
  readonly name: string;
  plan(capabilities: Capabilities): Steps | Refusal;
}

/** Positions that a result is computed from, along each spatial axis. */
export interface Reach {
  /** Its extent, dilation included. */
  readonly extent: readonly number[];
  /** Between the windows of neighbouring results; a fraction where there are more results than positions. */
  readonly stride: readonly number[];
}

export interface TensorOperation {
  /** As PyTorch calls it, in this library's spelling: "maxPool2d". */
  readonly name: string;
  /** Equal for two operations exactly when their plans are the same on every device: with names, shapes, dtypes and options. */
  readonly key: string;
  /** What it reads, by name. */
  readonly operands: Readonly<Record<string, TensorSpec>>;
  /** What it makes, by name, in the order in which a caller gets it. */
  readonly results: Readonly<Record<string, TensorSpec>>;
  /** How far a result reaches: within a window along the spatial axes, or over all of them. One position when absent. */
  readonly reach?: Reach | "everything";
  /** Operands whose values it replaces. None when absent. */
  readonly updates?: readonly string[];
  /** Whether its results are kept, and it runs again only after an operand's values were replaced. It updates none then. */
  readonly isKept?: true;
  /** In order of preference. The last one refuses nothing. */
  readonly solvers: readonly TensorSolver[];
  /**
   * The same on the host, in float64, from the stored values: those of the results, and of the operands that it updates, by name.
   * Written to be read, and sharing nothing with the kernels.
   */
  readonly compute: (operands: Readonly<Record<string, Numbers>>) => Readonly<Record<string, Numbers>>;
}

/** The plan of the first solver that does not refuse, and why those before it did. */
export function selectTensorSolver(
  { name, solvers }: TensorOperation,
  capabilities: Capabilities,
): { readonly plan: SolverPlan; readonly passedOver: readonly PassedOver[] } {
  const passedOver: PassedOver[] = [];
  for (const solver of solvers) {
    const outcome = solver.plan(capabilities);
    if (!isRefusal(outcome)) return { plan: { solver: solver.name, config: {}, ...outcome }, passedOver };
    passedOver.push({ solver: solver.name, reason: outcome.refused });
  }
  const reasons = passedOver.map(({ solver, reason }) => `${solver}: ${reason}`).join("; ");
  throw new SolverError(`no solver can run ${name} on this device: ${reasons}`);
}

/** How a dispatch binds the tensor of that name. */
export const named = (name: string): NamedTensor => `tensor ${name}`;
