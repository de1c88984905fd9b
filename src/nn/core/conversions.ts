/** Float16 tensors on devices whose shaders have no f16: made float32 before a solver's kernels, and its results float16 after. */
import type { Capabilities } from "../../planning/capabilities.js";
import { withinLimits } from "../../planning/deviceLimits.js";
import {
  type BindingSource,
  type Dispatch,
  isRefusal,
  type NamedTensor,
  type Scratch,
  type ScratchName,
} from "../../planning/solver.js";
import { named, type TensorOperation, type TensorSolver } from "../../planning/tensorOperation.js";
import { BYTES_PER_ELEMENT } from "../../problem/dtype.js";
import { product } from "../../problem/geometry.js";
import { convertHalf } from "../../solvers/passes/convertHalf.js";

/** Scratch memory that no solver names, since each tensor of an operation has its own. */
const converted = (tensor: NamedTensor): ScratchName => `${tensor} converted` as ScratchName;

/** The solver for whichever device, and within its limits. Its kernels take tensors of float16 as `elementOf` says. */
export function portable(solver: TensorSolver, operation: Omit<TensorOperation, "key" | "solvers">): TensorSolver {
  const { operands, results, updates = [] } = operation;
  const all = Object.entries({ ...operands, ...results });
  const halves = all.filter(([, { dtype }]) => dtype === "float16");
  return {
    name: solver.name,
    plan(capabilities) {
      const steps = solver.plan(capabilities);
      if (isRefusal(steps)) return steps;
      const plan = { solver: solver.name, config: {}, ...steps };
      if (capabilities.shaderF16 || halves.length === 0) return withinLimits(plan, capabilities);
      const sizes = new Map(halves.map(([name, { shape }]) => [named(name), product(shape)]));
      const isRead = (name: string): boolean => name in operands;
      const isWritten = (name: string): boolean => name in results || updates.includes(name);
      const names = halves.map(([name]) => name);
      const dispatches = [
        ...names.filter(isRead).map((name) => convert(named(name), sizes, false, capabilities)),
        ...steps.dispatches.map((step) => rebind(step, sizes)),
        ...names.filter(isWritten).map((name) => convert(named(name), sizes, true, capabilities)),
      ];
      return withinLimits(
        { ...plan, dispatches, scratchBytes: { ...plan.scratchBytes, ...scratchFor(sizes) } },
        capabilities,
      );
    },
  };
}

type Sizes = ReadonlyMap<BindingSource, number>;

function convert(tensor: NamedTensor, sizes: Sizes, toHalf: boolean, capabilities: Capabilities): Dispatch {
  const [source, result] = toHalf ? [converted(tensor), tensor] : [tensor, converted(tensor)];
  return convertHalf(sizes.get(tensor) ?? 0, toHalf, { source, result }, capabilities);
}

function rebind(step: Dispatch, sizes: Sizes): Dispatch {
  const bindings = Object.entries(step.bindings).map(([name, source]) => {
    return [name, sizes.has(source) ? converted(source as NamedTensor) : source] as const;
  });
  return { ...step, bindings: Object.fromEntries(bindings) };
}

const scratchFor = (sizes: Sizes): Scratch =>
  Object.fromEntries(
    [...sizes].map(([tensor, size]) => [converted(tensor as NamedTensor), BYTES_PER_ELEMENT.float32 * size]),
  );
