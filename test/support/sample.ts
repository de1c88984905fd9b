/** The short run: which of a group's tests are run. The sample follows from its seed alone, on each platform another. */
import { Random } from "./data.js";

/** Files whose tests take seconds each: most compile kernels that no other test does, or compute long sums. */
const SLOW = [
  /^test\/properties\/(random|space)\./,
  /^test\/gpu\/(adjoint|bounds|exact|extremes|half|largeKernels|largeSizes|longSums)\./,
  /^test\/gpu\/(shaders|specialValues|splits|tuning|workspace)\./,
  /^test\/demo\/(layer|layerBackward|small)\./,
  /^test\/unit\/packageTypes\./,
];

/** Tests of a group (a describe, or what a file has beside its groups) that a short run takes at most. */
export function mostOf(file: string): number {
  if (SLOW.some((pattern) => pattern.test(file))) return 1;
  // On a device, or in the page, a test takes a good part of a second; a unit test milliseconds.
  return file.startsWith("test/unit/") ? 10 : 2;
}

/** FNV-1a, 32 bits. */
export function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const character of text) value = Math.imul(value ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return value >>> 0;
}

/** Whether a short run takes anything of a group, where it takes one group in so many: all files have their turn. */
export const takesGroup = (oneIn: number, key: string): boolean =>
  new Random(hash(`group\n${key}`)).integer(1, Math.max(1, oneIn)) === 1;

/** `most` of the items, or all where there are no more; `key` says which. */
export function sampleOf<T>(items: readonly T[], most: number, key: string): ReadonlySet<T> {
  const random = new Random(hash(key));
  const left = [...items];
  const taken = new Set<T>();
  while (taken.size < most && left.length > 0) {
    for (const item of left.splice(random.integer(0, left.length - 1), 1)) taken.add(item);
  }
  return taken;
}
