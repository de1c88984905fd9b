/** What transposed convolutions leave out for `stride` results of each value, as TensorFlow's and ONNX's "same" have it. */

/**
 * Of `excess` results too many, as many as a filter's span exceeds the stride, how many are left out before and behind. Where there are
 * too few, none.
 */
export function halvesOf(excess: number, odd: "before" | "behind"): [before: number, behind: number] {
  const [less, more] = [Math.floor(Math.max(excess, 0) / 2), Math.ceil(Math.max(excess, 0) / 2)];
  return odd === "behind" ? [less, more] : [more, less];
}
