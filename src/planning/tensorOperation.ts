/**
 * Operations around convolution, which name their tensors themselves: what `webgpu-conv/nn` is made of. They are planned and
 * dispatched like convolutions: pure plans by solvers in a list, the first that does not refuse serves.
 */
import { DeviceError, SolverError } from "../base/errors.js";
import type { DType } from "../problem/dtype.js";
import type { Layout } from "../problem/layout.js";
import type { PaddingMode } from "../problem/padding.js";
import type { Capabilities } from "./capabilities.js";
import {
  type FaultyPlans,
  isRefusal,
  type NamedTensor,
  type PassedOver,
  type Refusal,
  type SolverPlan,
  type Steps,
} from "./solver.js";

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
  readonly layout: Layout;
  /** Its extent, dilation included. */
  readonly extent: readonly number[];
  /** Between the windows of neighbouring results; a fraction where there are more results than positions. */
  readonly stride: readonly number[];
  /** How far before the first position the first result's window begins: the padding. A fraction is rounded up. 0 when absent. */
  readonly before?: readonly number[];
  /** What lies beyond the edges. Nothing else of the tensor when absent. */
  readonly paddingMode?: PaddingMode;
}

/** Another extent in the place of one; 1 stays. */
export type Resize = (extent: number) => number;

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
  /** Axes of the operands along which results are computed from all elements. None that the reach does not say when absent. */
  readonly mixes?: readonly number[];
  /** Whether positions change places, or where an element lies says what becomes of it. */
  readonly rearranges?: true;
  /** Operands whose values it replaces. None when absent. */
  readonly updates?: readonly string[];
  /** Whether its results are kept, and it runs again only after an operand's values were replaced. It updates none then. */
  readonly isKept?: true;
  /** In order of preference. The last one refuses nothing. */
  readonly solvers: readonly TensorSolver[];
  /** The operation with other extents, on which its kernels are tried (vetting/tensorTwin.ts). When absent they are on its own. */
  readonly resized?: (to: Resize) => TensorOperation;
  /** What operands hold in trials, element by element, where not any small integers but 0 will do. */
  readonly trialValues?: Readonly<Record<string, (element: number) => number>>;
  /**
   * The same on the host, in float64, from the stored values: those of the results, and of the operands that it updates, by name.
   * Written to be read, and sharing nothing with the kernels.
   */
  readonly compute: (operands: Readonly<Record<string, Numbers>>) => Readonly<Record<string, Numbers>>;
}

/**
 * The plan of the first solver that does not refuse, and why those before it did.
 *
 * @param faulty plans that are passed over, if any
 * @throws SolverError where no solver can run it; DeviceError where none that can works.
 */
export function selectTensorSolver(
  { name, solvers }: TensorOperation,
  capabilities: Capabilities,
  faulty?: FaultyPlans,
): { readonly plan: SolverPlan; readonly passedOver: readonly PassedOver[] } {
  const passedOver: PassedOver[] = [];
  let isFaulty = false;
  for (const solver of solvers) {
    const plan = planBy(solver, capabilities);
    const reason = isRefusal(plan) ? plan.refused : faulty?.refusal(plan);
    if (!isRefusal(plan) && reason === undefined) return { plan, passedOver };
    isFaulty ||= !isRefusal(plan);
    passedOver.push({ solver: solver.name, reason: reason ?? "" });
  }
  const reasons = passedOver.map(({ solver, reason }) => `${solver}: ${reason}`).join("; ");
  if (isFaulty) throw new DeviceError(`no solver for ${name} works on this device: ${reasons}`);
  throw new SolverError(`no solver can run ${name} on this device: ${reasons}`);
}

/** A solver's plan, or its refusal. */
export function planBy(solver: TensorSolver, capabilities: Capabilities): SolverPlan | Refusal {
  const outcome = solver.plan(capabilities);
  return isRefusal(outcome) ? outcome : { solver: solver.name, config: {}, ...outcome };
}

/** How a dispatch binds the tensor of that name. */
export const named = (name: string): NamedTensor => `tensor ${name}`;
