/**
 * Tensors stored in a form that a kernel cannot read, made readable by converting them to scratch memory first, and
 * results back afterwards:
 *
 * - float16 on devices whose shaders have no f16, and for an operation of two passes. The sums are the same as with f16
 *   in the shader, which are in f32 too.
 * - an image, for a solver that reads no pixels.
 */
import convertHalf from "../../../shaders/passes/convert_half.wgsl";
import unpackPixels from "../../../shaders/passes/unpack_pixels.wgsl";
import { BYTES_PER_ELEMENT } from "../../problem/dtype.js";
import { product } from "../../problem/geometry.js";
import type { Capabilities } from "../../planning/capabilities.js";
import { uniformRefusal } from "../../kernels/uniforms.js";
import {
  type ConvOperation,
  operandRoles,
  resultRoles,
  shapeOfRole,
  type TensorRole,
} from "../../problem/operation.js";
import {
  type BindingSource,
  type Dispatch,
  dispatch,
  foldWorkgroups,
  isRefusal,
  type Refusal,
  type ScratchName,
  type Solver,
  type SolverConfig,
  type SolverPlan,
} from "../../planning/solver.js";
import { hasBorder } from "./borderInputGradient.js";
import { elementTypes } from "../shared/constants.js";
import { pixelConstants, pixelUniforms } from "../shared/pixels.js";

const THREADS = 64;

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
  solver: Solver,
  operation: ConvOperation,
  capabilities: Capabilities,
  config: SolverConfig,
): SolverPlan | Refusal {
  // Two passes that add to one result round once, not twice.
  const halves = operation.dtype === "float16" && (!capabilities.shaderF16 || hasBorder(operation));
  const image = operation.pixels !== undefined && solver.readsPixels !== true;
  if (!halves && !image) return withinLimits(solver.plan(operation, capabilities, config), capabilities);
  const inner: ConvOperation = {
    ...operation,
    dtype: halves ? "float32" : operation.dtype,
    pixels: image ? undefined : operation.pixels,
  };
  const plan = solver.plan(inner, capabilities, config);
  if (isRefusal(plan)) return plan;

  const before: Conversion[] = [];
  if (image) before.push(unpackImage(operation, inner, capabilities));
  const after: Conversion[] = [];
  if (halves) {
    const operands = operandRoles(operation).filter((role) => !(role === "x" && operation.pixels));
    before.push(...operands.map((role) => convertRole(operation, role, false, capabilities)));
    after.push(...resultRoles(operation).map((role) => convertRole(operation, role, true, capabilities)));
  }
  return withinLimits(withConversions(plan, inner, before, after), capabilities);
}

/** The plan, or that the device cannot bind its scratch memory, start its workgroups, or count in its numbers. */
function withinLimits(plan: SolverPlan | Refusal, { limits }: Capabilities): SolverPlan | Refusal {
  if (isRefusal(plan)) return plan;
  const most = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  const tooLarge = Object.entries(plan.scratchBytes).find(([, bytes]) => !(bytes <= most));
  if (tooLarge) {
    const [name, bytes] = tooLarge;
    return { refused: `"${name}" needs ${String(bytes)} bytes of scratch memory; the device binds ${String(most)}` };
  }
  const widest = limits.maxComputeWorkgroupsPerDimension;
  for (const { kernel, uniforms, workgroups } of plan.dispatches) {
    if (!workgroups.every((count) => count >= 1 && count <= widest)) {
      const grid = workgroups.join(" x ");
      return {
        refused: `${kernel.name} needs ${grid} workgroups; the device starts ${String(widest)} along a dimension (maxComputeWorkgroupsPerDimension)`,
      };
    }
    const unfit = uniformRefusal(kernel, uniforms);
    if (unfit !== undefined) return { refused: unfit };
  }
  return plan;
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

function convertRole(
  operation: ConvOperation,
  role: TensorRole,
  toHalf: boolean,
  capabilities: Capabilities,
): Conversion {
  const elements = product(shapeOfRole(operation, role));
  const pairs = Math.ceil(elements / 2);
  const step = dispatch(convertHalf, {
    constants: { TO_HALF: toHalf },
    uniforms: { elements, pairs },
    bindings: toHalf ? { source: converted(role), result: role } : { source: role, result: converted(role) },
    workgroups: foldWorkgroups(Math.ceil(pairs / THREADS), capabilities),
  });
  return { role, change: toHalf ? "from float32 to float16" : "from float16 to float32", dispatch: step };
}

function unpackImage(operation: ConvOperation, inner: ConvOperation, capabilities: Capabilities): Conversion {
  const { batch, inputPositions, inChannels, inputStrides } = operation.problem;
  const pixels = batch * inputPositions;
  const step = dispatch(unpackPixels, {
    constants: pixelConstants(operation),
    types: elementTypes(inner),
    uniforms: {
      pixels,
      positions: inputPositions,
      channels: inChannels,
      resultStrides: inputStrides,
      ...pixelUniforms(operation),
    },
    bindings: { source: "x", result: converted("x") },
    workgroups: foldWorkgroups(Math.ceil(pixels / THREADS), capabilities),
  });
  return { role: "x", change: `from pixels to ${inner.dtype}`, dispatch: step };
}
