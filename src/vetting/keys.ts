/** Short names for kernels' texts, and for plans by the texts that they run. */
import { dataKey } from "../base/keys.js";
import { type SolverPlan, unusedOf } from "../planning/solver.js";

/** Names of the texts that a plan's dispatches run, each once: equal only where the texts are, also with bindings left out. */
export const textKeys = ({ dispatches }: SolverPlan): readonly string[] => [
  ...new Set(
    dispatches.map(({ kernel, constants, types, bindings }) =>
      dataKey([kernel.name, constants, types, unusedOf(kernel, bindings)]),
    ),
  ),
];

/** The 32-bit FNV-1a hash of a text's code units, http://www.isthe.com/chongo/tech/comp/fnv. */
function fnv1a(text: string, basis: number): number {
  let hash = basis;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** 64 bits that stand for a text, in 13 characters or so. */
export const shortKey = (text: string): string =>
  [fnv1a(text, 0x811c9dc5), fnv1a(`${text}.`, 0x050c5d1f)].map((hash) => hash.toString(36)).join("");
