/** Comparisons that say in one line what differs. */
import { compare } from "webgpu-conv/reference";

/** The first element that is not the same bits as the reference's float32; undefined when all are. */
export function exactMismatch(actual: ArrayLike<number>, expected: ArrayLike<number>): string | undefined {
  if (actual.length !== expected.length) return `${String(actual.length)} values; expected ${String(expected.length)}`;
  for (let i = 0; i < expected.length; i++) {
    const wanted = Math.fround(expected[i]);
    if (!Object.is(actual[i], wanted))
      return `element ${String(i)} is ${String(actual[i])}; expected ${String(wanted)}`;
  }
  return undefined;
}

/** The element furthest past its bound; undefined when all are within. */
export function boundMismatch(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  bound: ArrayLike<number>,
): string | undefined {
  const { pass, worstIndex, worstError, bound: limit } = compare(actual, expected, bound);
  if (pass) return undefined;
  const values = `${String(actual[worstIndex])}; expected ${String(expected[worstIndex])}`;
  return `element ${String(worstIndex)} is ${values}, error ${worstError.toExponential(2)} > bound ${limit.toExponential(2)}`;
}
