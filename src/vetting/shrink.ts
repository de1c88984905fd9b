/** Smaller sizes at which the texts of kernels may be the same. */

/** Kernels know sizes by what divides them: a smaller size keeps its remainder by one of these, the smallest that will do. */
const MODULI = [4, 16, 64, 256];

/** The smallest number from `least` on with the remainder of `size`; `size` itself where that is no larger. */
export function shrink(size: number, least: number, modulus: number): number {
  const remainder = size % modulus;
  return Math.min(size, remainder + modulus * Math.max(0, Math.ceil((least - remainder) / modulus)));
}

/** One size after the other, in the order of `names`, each as far as it goes; undefined where none can be smaller. */
export function smallest<Name extends string, Found>(
  whole: Readonly<Record<Name, number>>,
  names: readonly Name[],
  leastOf: (name: Name) => number,
  attempt: (sizes: Readonly<Record<Name, number>>) => Found | undefined,
): Found | undefined {
  let sizes = whole;
  let found: Found | undefined;
  for (const name of names) {
    for (const size of smallerSizes(whole[name], leastOf(name))) {
      const smaller = { ...sizes, [name]: size };
      const its = attempt(smaller);
      if (!its) continue;
      sizes = smaller;
      found = its;
      break;
    }
  }
  return found;
}

/** Sizes to be tried, the smallest first. */
function smallerSizes(size: number, least: number): number[] {
  const sizes = new Set<number>();
  for (const modulus of MODULI) {
    for (let from = least; from < size; from *= 4) sizes.add(shrink(size, from, modulus));
  }
  if (least < size) sizes.add(least);
  sizes.delete(size);
  return [...sizes].sort((a, b) => a - b);
}
