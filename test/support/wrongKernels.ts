/** Kernels that compile and give wrong results. */

/** An assignment to an element of what a kernel writes. */
const STORE = /\b((?:result|sums|partials|bias)\[[^;=]*\]) = ([^;]*);/g;

/** A `rewrite` of a failing device: kernels of these labels write twice each value. */
export function wrongKernels(labels: readonly string[]): (code: string, label: string) => string {
  return (code, label) => (labels.includes(label) ? code.replace(STORE, "$1 = ($2) + ($2);") : code);
}

/** Likewise, whatever the names of what they write: twice each value, or of a record its first field and 1. */
export function wrongWrites(labels: readonly string[]): (code: string, label: string) => string {
  return (code, label) => {
    if (!labels.includes(label)) return code;
    const names = [...code.matchAll(/var<storage, read_write> (\w+):/g)].map(([, name]) => name);
    const store = new RegExp(`\\b((?:${names.join("|")})\\[[^;=]*\\]) = ([^;]*);`, "g");
    return code.replace(store, (line, place: string, value: string) =>
      value === "next" ? `${line} ${place}.steps += 1.0;` : `${place} = (${value}) + (${value});`,
    );
  };
}
