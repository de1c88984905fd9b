/**
 * float16 tensors on devices whose shaders have no f16: operands are widened to float32 scratch, the solver runs on
 * that, and results are packed again. The sums are the same as with f16 in the shader, which keeps them in f32 too.
 */
import kernel from "../../shaders/convert_half.wgsl";
import { product } from "../geometry.js";
import type { Capabilities } from "../gpu/capabilities.js";
import { type ConvOperation, operandRoles, resultRoles, shapeOfRole, type TensorRole } from "../operation.js";
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
} from "../solver.js";

const THREADS = 64;
const WIDE_BYTES = 4;

const wide = (role: TensorRole): ScratchName => `${role} in float32`;

/** Plans `operation` with `solver`, through float32 scratch where the tensors are float16 and the shaders are not. */
export function planFor(
  solver: Solver,
  operation: ConvOperation,
  capabilities: Capabilities,
  config: SolverConfig,
): SolverPlan | Refusal {
  if (operation.dtype !== "float16" || capabilities.shaderF16) return solver.plan(operation, capabilities, config);
  const inner = solver.plan({ ...operation, dtype: "float32" }, capabilities, config);
  if (isRefusal(inner)) return inner;

  const operands = operandRoles(operation);
  const results = resultRoles(operation);
  const scratch: Partial<Record<ScratchName, number>> = { ...inner.scratchBytes };
  for (const role of [...operands, ...results]) {
    const bytes = WIDE_BYTES * product(shapeOfRole(operation, role));
    const limit = capabilities.limits.maxStorageBufferBindingSize;
    if (bytes > limit) {
      return { refused: `${role} widened to float32 needs ${String(bytes)} bytes; the device binds ${String(limit)}` };
    }
    scratch[wide(role)] = bytes;
  }
  const convert = (role: TensorRole, toHalf: boolean): Dispatch =>
    convertDispatch(operation, role, toHalf, capabilities);
  const dispatches = [
    ...operands.map((role) => convert(role, false)),
    ...inner.dispatches.map((step) => ({ ...step, bindings: widenBindings(step.bindings) })),
    ...results.map((role) => convert(role, true)),
  ];
  return { ...inner, dispatches, scratchBytes: scratch };
}

function widenBindings(bindings: Dispatch["bindings"]): Dispatch["bindings"] {
  const isRole = (source: BindingSource): source is TensorRole => !["partials", "unused"].includes(source);
  const entries = Object.entries(bindings).map(
    ([name, source]) => [name, isRole(source) ? wide(source) : source] as const,
  );
  return Object.fromEntries(entries);
}

function convertDispatch(
  operation: ConvOperation,
  role: TensorRole,
  toHalf: boolean,
  capabilities: Capabilities,
): Dispatch {
  const elements = product(shapeOfRole(operation, role));
  const pairs = Math.ceil(elements / 2);
  return dispatch(kernel, {
    constants: { TO_HALF: toHalf },
    uniforms: { elements, pairs },
    bindings: toHalf ? { source: wide(role), result: role } : { source: role, result: wide(role) },
    workgroups: foldWorkgroups(Math.ceil(pairs / THREADS), capabilities),
  });
}
