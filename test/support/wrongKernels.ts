/** Kernels that compile and give wrong results. */

/** An assignment to an element of what a kernel writes. */
const STORE = /\b((?:result|sums|partials|bias)\[[^;=]*\]) = ([^;]*);/g;

/** A `rewrite` of a failing device: kernels of these labels write twice each value. */
export function wrongKernels(labels: readonly string[]): (code: string, label: string) => string {
  return (code, label) => (labels.includes(label) ? code.replace(STORE, "$1 = ($2) + ($2);") : code);
}
