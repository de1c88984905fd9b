/** Selects how an operation runs in pieces. */
import { ConvError, LimitError, SolverError } from "../base/errors.js";
import type { Capabilities } from "../planning/capabilities.js";
import { isReplaceable, type SolverChoice } from "../planning/choice.js";
import type { PlannedPiece } from "../planning/pieces.js";
import type { Scratch, SolverPlan } from "../planning/solver.js";
import { BYTES_PER_ELEMENT } from "../problem/dtype.js";
import { product } from "../problem/geometry.js";
import { type ConvOperation, operandRoles, resultRoles, shapeOfRole, type TensorRole } from "../problem/operation.js";
import { BYTES_PER_PIXEL } from "../problem/pixels.js";
import type { Select, Selection } from "../solvers/choose.js";
import { AlikePlans } from "./alike.js";
import { Cutting } from "./cut.js";
import { regionBytes } from "./piece.js";

/** Bytes of the tensor in a role. */
function bytesOfRole(operation: ConvOperation, role: TensorRole): number {
  const { problem, dtype, pixels } = operation;
  if (role === "x" && pixels !== undefined) return BYTES_PER_PIXEL * problem.batch * problem.inputPositions;
  return BYTES_PER_ELEMENT[dtype] * product(shapeOfRole(operation, role));
}

/** Whether a device holds each tensor of an operation, and cannot bind one of them as a whole. */
function isHeldInPieces(operation: ConvOperation, { limits }: Capabilities): boolean {
  const roles = [...operandRoles(operation), ...resultRoles(operation)];
  const largest = Math.max(...roles.map((role) => bytesOfRole(operation, role)));
  return largest > limits.maxStorageBufferBindingSize && largest <= limits.maxBufferSize;
}

/** The selection for an operation that the device cannot bind as a whole. Throws LimitError where there is none. */
function selectInPieces(
  operation: ConvOperation,
  capabilities: Capabilities,
  choice: SolverChoice | undefined,
  select: Select,
): Selection {
  const alike = new AlikePlans(operation, capabilities, choice, select);
  const pieces = new Cutting(operation, capabilities, alike).cut();
  const { solver, config } = alike.whole;
  const plans = pieces.pieces.map(({ plan }) => plan);
  const conversions = [...new Set(plans.flatMap((plan) => plan.conversions ?? []))];
  return {
    plan: {
      solver,
      config,
      dispatches: plans.flatMap(({ dispatches }) => dispatches),
      scratchBytes: scratchOf(pieces.pieces),
      conversions,
      pieces,
    },
    passedOver: alike.passedOver,
  };
}

/** The most of each kind of scratch memory that pieces take, with the parts of tensors that are copied. */
function scratchOf(pieces: readonly PlannedPiece<SolverPlan>[]): Scratch {
  const most: Record<string, number> = {};
  const take = (name: string, bytes: number): void => {
    most[name] = Math.max(most[name] ?? 0, bytes);
  };
  for (const { plan, operands, results } of pieces) {
    for (const [name, bytes] of Object.entries(plan.scratchBytes)) take(name, bytes);
    const copied: [TensorRole, number][] = [
      ...[...operands].map(([role, region]) => [role, regionBytes(region)] as [TensorRole, number]),
      ...[...results].map(
        ([role, { from }]) => [role, regionBytes({ ...from, shape: from.whole })] as [TensorRole, number],
      ),
    ];
    for (const [role, bytes] of copied) take(`${role} piece`, bytes);
  }
  return most;
}

/** Plans with the durations of their dispatches. */
type Timed = (plan: SolverPlan, operation: ConvOperation) => SolverPlan;

/** Selects as `selectTimed`, and in pieces what the device holds and cannot bind: tensors, or scratch memory. */
export function selectAround(select: Select, selectTimed: Select, timed: Timed): Select {
  const inPieces: Select = (operation, capabilities, choice) => {
    const { plan, passedOver } = selectInPieces(operation, capabilities, choice, select);
    const pieces = plan.pieces?.pieces ?? [];
    const plans = new Map(pieces.map((piece) => [piece.plan, timed(piece.plan, piece.operation)]));
    const slowness = plans.values().next().value?.slowness ?? 1;
    const dispatches = pieces.flatMap((piece) => plans.get(piece.plan)?.dispatches ?? []);
    return { plan: { ...plan, slowness, dispatches }, passedOver };
  };
  const wholeOrPieces: Select = (operation, capabilities, choice) => {
    if (isHeldInPieces(operation, capabilities)) return inPieces(operation, capabilities, choice);
    try {
      return selectTimed(operation, capabilities, choice);
    } catch (error) {
      // It may be scratch memory that the device cannot bind, of any solver or of the one that is named.
      if (!(error instanceof LimitError || error instanceof SolverError)) throw error;
      return inPieces(operation, capabilities, choice);
    }
  };
  /** By the first solver whose scratch memory the device can bind; undefined where it has no pieces either. */
  const byBindable = (operation: ConvOperation, capabilities: Capabilities): Selection | undefined => {
    try {
      const { plan, passedOver } = select(operation, capabilities);
      const { solver: name, config } = plan;
      return { ...inPieces(operation, capabilities, { name, config }), passedOver };
    } catch (error) {
      if (error instanceof ConvError) return undefined;
      throw error;
    }
  };
  const asChosen: Select = (operation, capabilities, choice) => {
    try {
      return wholeOrPieces(operation, capabilities, choice);
    } catch (error) {
      // The solver may have no pieces that are small enough. What was tuned was so for a smaller operation, perhaps.
      if (!(error instanceof ConvError)) throw error;
      if (choice !== undefined && isReplaceable(choice)) return asChosen(operation, capabilities);
      const other = choice === undefined ? byBindable(operation, capabilities) : undefined;
      if (!other) throw error;
      return other;
    }
  };
  return asChosen;
}
