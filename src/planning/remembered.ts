/** What was computed last for an operation, while it is planned: whether a solver pays is asked before its candidates are. */
import type { ConvOperation } from "../problem/operation.js";
import type { Capabilities } from "./capabilities.js";

/**
 * A function of an operation that keeps its last result for the same capabilities and other arguments, for as long as the operation
 * object itself is kept.
 */
export function remembered<Rest extends readonly unknown[], Result>(
  compute: (operation: ConvOperation, capabilities: Capabilities, ...rest: Rest) => Result,
): typeof compute {
  const last = new WeakMap<ConvOperation, { readonly on: readonly unknown[]; readonly result: Result }>();
  return (operation, capabilities, ...rest) => {
    const on = [capabilities, ...rest];
    const known = last.get(operation);
    if (known?.on.every((one, i) => one === on[i]) === true) return known.result;
    const result = compute(operation, capabilities, ...rest);
    last.set(operation, { on, result });
    return result;
  };
}
