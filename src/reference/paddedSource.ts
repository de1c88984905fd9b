/** Padding modes as maps of coordinates, as shaders/common/padding.wgsl has them. */
import type { PaddingMode } from "../problem/padding.js";

/**
 * The input coordinate that supplies the value at `at`, which may lie outside `0 <= at < size`; -1 for zero.
 * `at` is at most one input's extent outside (one less for "reflect").
 */
export function paddedSource(at: number, size: number, mode: PaddingMode): number {
  if (at >= 0 && at < size) return at;
  switch (mode) {
    case "zeros":
      return -1;
    case "reflect":
      return at < 0 ? -at : 2 * (size - 1) - at;
    case "symmetric":
      return at < 0 ? -at - 1 : 2 * size - 1 - at;
    case "replicate":
      return at < 0 ? 0 : size - 1;
    case "circular":
      return at < 0 ? at + size : at - size;
  }
}
