/**
 * Tensors stored in a form that a kernel cannot read, made readable by converting them to scratch memory first, and
 * results back afterwards:
 *
 * - float16 on devices whose shaders have no f16, for a solver that reads no packed pairs, and for an operation of two passes. The
 *   sums are the same as with f16 in the shader, which are in f32 too.
 * - an image, for a solver that reads no pixels.
 */
import type { Capabilities } from "../../planning/capabilities.js";
import { bindingsRefusal, withinLimits } from "../../planning/deviceLimits.js";
import {
  type BindingSource,
  type Dispatch,
  isRefusal,
  type Refusal,
  type ScratchName,
  type ListedSolver,
  type SolverConfig,
  type SolverPlan,
} from "../../planning/solver.js";
import { BYTES_PER_ELEMENT, type DType } from "../../problem/dtype.js";
import { product } from "../../problem/geometry.js";
import {
  type ConvOperation,
  operandRoles,
  resultRoles,
  shapeOfRole,
  type TensorRole,
} from "../../problem/operation.js";
import { hasBorder } from "./borderInputGradient.js";
import { convertHalf } from "./convertHalf.js";
import { withRepairs } from "./repairs.js";
import { unpackPixels } from "./unpackPixels.js";

const converted = (role: TensorRole): ScratchName => `${role} converted`;

/** A tensor that the solver gets in another form. */
interface Conversion {
  readonly role: TensorRole;
  /** In words. */
  readonly change: string;
  readonly dispatch: Dispatch;
}

/** Plans `operation` with `solver`, with what it cannot read or write converted. */
export function planFor(
  solver: ListedSolver,
  operation: ConvOperation,
  capabilities: Capabilities,
  config: SolverConfig,
): SolverPlan | Refusal {
  // Two passes that add to one result round once, not twice.
  const halves = operation.dtype === "float16" && (!capabilities.shaderF16 || hasBorder(operation));
  const image = operation.pixels !== undefined && solver.readsPixels !== true;
  const planned = (given: ConvOperation): SolverPlan | Refusal => {
    const plan = planBound(solver, given, capabilities, config);
    return isRefusal(plan) ? plan : withRepairs(plan, given, capabilities);
  };
  if (!halves && !image) return withinLimits(planned(operation), capabilities);
  const unpacks = halves && !image && solver.readsHalves === true && !hasBorder(operation);
  const inner: ConvOperation = {
    ...operation,
    dtype: halves ? "float32" : operation.dtype,
    ...(unpacks && { halves: true }),
    pixels: image ? undefined : operation.pixels,
  };
  const plan = planned(inner);
  if (isRefusal(plan)) return plan;

  const before: Conversion[] = [];
  if (image) before.push(unpack(operation, inner.dtype, capabilities));
  const after: Conversion[] = [];
  if (halves && !unpacks) {
    const operands = operandRoles(operation).filter((role) => !(role === "x" && operation.pixels));
    before.push(...operands.map((role) => widen(operation, role, capabilities)));
  }
  if (halves && plan.packsResults !== true) {
    after.push(...resultRoles(operation).map((role) => narrow(operation, role, capabilities)));
  }
  return withinLimits(withConversions(plan, inner, before, after), capabilities);
}

/** The solver's plan; where a device cannot bind all of that at once, with a dispatch of its own for what is fused. */
function planBound(
  solver: ListedSolver,
  operation: ConvOperation,
  capabilities: Capabilities,
  config: SolverConfig,
): SolverPlan | Refusal {
  const plan = solver.plan(operation, capabilities, config);
  if (isRefusal(plan) || bindingsRefusal(plan, capabilities) === undefined) return plan;
  return solver.plan(operation, { ...capabilities, finishesApart: true }, config);
}

/** A plan in float32 for operands in float16, which are made float32 first. Its results stay float32. */
export function withOperandsWidened(
  plan: SolverPlan,
  operation: ConvOperation,
  capabilities: Capabilities,
): SolverPlan {
  const before = operandRoles(operation)
    .filter((role) => !(role === "x" && operation.pixels))
    .map((role) => widen(operation, role, capabilities));
  return withConversions(plan, { ...operation, dtype: "float32" }, before, []);
}

function withConversions(
  plan: SolverPlan,
  inner: ConvOperation,
  before: readonly Conversion[],
  after: readonly Conversion[],
): SolverPlan {
  const scratchBytes: Partial<Record<ScratchName, number>> = { ...plan.scratchBytes };
  for (const { role } of [...before, ...after]) {
    scratchBytes[converted(role)] =
      4 * Math.ceil((BYTES_PER_ELEMENT[inner.dtype] * product(shapeOfRole(inner, role))) / 4);
  }
  const roles = new Set<BindingSource>([...before, ...after].map(({ role }) => role));
  const rebind = (source: BindingSource): BindingSource =>
    roles.has(source) ? converted(source as TensorRole) : source;
  const steps = plan.dispatches.map((step) => ({
    ...step,
    bindings: Object.fromEntries(Object.entries(step.bindings).map(([name, source]) => [name, rebind(source)])),
  }));
  return {
    ...plan,
    dispatches: [
      ...before.map((conversion) => conversion.dispatch),
      ...steps,
      ...after.map((conversion) => conversion.dispatch),
    ],
    scratchBytes,
    conversions: [...before, ...after].map(({ role, change }) => `${role} ${change}`),
  };
}

function widen(operation: ConvOperation, role: TensorRole, capabilities: Capabilities): Conversion {
  const elements = product(shapeOfRole(operation, role));
  const bindings = { source: role, result: converted(role) };
  const step = convertHalf(elements, false, bindings, capabilities);
  return { role, change: "from float16 to float32", dispatch: step };
}

function narrow(operation: ConvOperation, role: TensorRole, capabilities: Capabilities): Conversion {
  const elements = product(shapeOfRole(operation, role));
  const bindings = { source: converted(role), result: role };
  const step = convertHalf(elements, true, bindings, capabilities);
  return { role, change: "from float32 to float16", dispatch: step };
}

function unpack(operation: ConvOperation, dtype: DType, capabilities: Capabilities): Conversion {
  const step = unpackPixels(operation, dtype, converted("x"), capabilities);
  return { role: "x", change: `from pixels to ${dtype}`, dispatch: step };
}
