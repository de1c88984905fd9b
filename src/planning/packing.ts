/**
 * Packing: the steps of a plan that read only weights, such as the transform of Winograd's filters. Their results change only
 * when the weights do, so they can be kept for later operations. Operations that are kept (planning/tensorOperation.ts) likewise.
 */
import { entriesOf } from "../base/entries.js";
import { dataKey } from "../base/keys.js";
import { BYTES_PER_ELEMENT } from "../problem/dtype.js";
import type { BindingSource, Dispatch, NamedTensor, Scratch, ScratchName, SolverPlan } from "./solver.js";
import type { TensorSpec } from "./tensorOperation.js";

/** What is made of weights, by name. */
export interface Form {
  /** Equal for two plans that pack the same weights into the same bytes and keep the same of them. */
  readonly key: string;
  readonly packed: Readonly<Partial<Record<ScratchName | NamedTensor, TensorSpec>>>;
  /** From which use of the same values on it is kept. */
  readonly keptFrom: number;
}

export interface Packing extends Form {
  readonly steps: readonly Dispatch[];
  /** Likewise of what they write for one another. */
  readonly between: Scratch;
}

function sourcesOf({ kernel, bindings }: Dispatch, access: "read" | "read_write"): BindingSource[] {
  return Object.entries(kernel.bindings)
    .filter(([name, binding]) => binding.access === access && bindings[name] !== "unused")
    .map(([name]) => bindings[name]);
}

/** The packing of a plan; undefined where the plan reads its weights as they are. */
export function packingOf({ dispatches, scratchBytes }: SolverPlan): Packing | undefined {
  const written = new Set<BindingSource>();
  const steps = dispatches.filter((step) => {
    const reads = sourcesOf(step, "read");
    const writes = sourcesOf(step, "read_write");
    const packs =
      reads.length > 0 &&
      reads.every((source) => source === "w" || written.has(source)) &&
      writes.every((source) => source in scratchBytes);
    if (packs) writes.forEach((source) => written.add(source));
    return packs;
  });
  if (steps.length === 0) return undefined;
  const others = dispatches.filter((step) => !steps.includes(step));
  if (others.some((step) => sourcesOf(step, "read_write").some((source) => written.has(source)))) return undefined;
  const readByOthers = new Set(others.flatMap((step) => sourcesOf(step, "read")));
  const chosen = (wanted: boolean): [ScratchName, number][] =>
    entriesOf(scratchBytes).filter(([name]) => written.has(name) && readByOthers.has(name) === wanted);
  const packed = Object.fromEntries(
    chosen(true).map(([name, bytes]) => [
      name,
      { shape: [bytes / BYTES_PER_ELEMENT.float32], dtype: "float32" } as const,
    ]),
  );
  const key = dataKey([packed, steps.map((step) => ({ ...step, kernel: step.kernel.name, milliseconds: 0 }))]);
  return { key, steps, packed, keptFrom: 2, between: Object.fromEntries(chosen(false)) };
}
