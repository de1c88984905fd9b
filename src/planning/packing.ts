/**
 * Packing: the steps of a plan that read only weights, such as the transform of Winograd's filters. Their results change only
 * when the weights do, so they can be kept for later operations.
 */
import { entriesOf } from "../base/entries.js";
import { dataKey } from "../base/keys.js";
import type { BindingSource, Dispatch, Scratch, SolverPlan } from "./solver.js";

export interface Packing {
  /** Equal for two plans that pack the same weights into the same bytes and keep the same of them. */
  readonly key: string;
  readonly steps: readonly Dispatch[];
  /** Names and bytes of what they write for the other steps of the plan. */
  readonly packed: Scratch;
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
  const chosen = (wanted: boolean): Scratch =>
    Object.fromEntries(
      entriesOf(scratchBytes).filter(([name]) => written.has(name) && readByOthers.has(name) === wanted),
    );
  const packed = chosen(true);
  const key = dataKey([packed, steps.map((step) => ({ ...step, kernel: step.kernel.name, milliseconds: 0 }))]);
  return { key, steps, packed, between: chosen(false) };
}
