/** Volumes and their padded form. */
import type { Resize } from "../../../planning/tensorOperation.js";
import type { PaddingMode } from "../../../problem/padding.js";
import { resizedVolumes, type Size, type Volumes } from "../../core/volumes.js";

export interface Padded {
  readonly input: Volumes;
  readonly output: Volumes;
  readonly mode: PaddingMode;
  /** Before each axis; negative where it crops. */
  readonly padBegin: Size;
}

/** Other extents with the same padding, where the mode has that. */
export function resizedPad(padded: Padded, to: Resize): Padded {
  const { input, output, padBegin } = padded;
  const before = padBegin.slice(3 - input.rank);
  const spatial = input.spatial.map((extent, axis) => {
    const behind = output.spatial[axis] - extent - before[axis];
    return Math.min(extent, Math.max(to(extent), 1 + Math.abs(before[axis]) + Math.abs(behind)));
  });
  const around = spatial.map((extent, axis) => extent + output.spatial[axis] - input.spatial[axis]);
  return { ...padded, input: resizedVolumes(input, to, spatial), output: resizedVolumes(output, to, around) };
}

/** On the host: what an element of the padded form is a copy of; undefined for a zero. */
export function paddedPlace({ input, mode, padBegin }: Padded, at: Size): Size | undefined {
  const [z, y, x] = at.map((position, axis) => sourceOf(position - padBegin[axis], input.size[axis], mode));
  return z < 0 || y < 0 || x < 0 ? undefined : [z, y, x];
}

/** -1 for a zero. */
function sourceOf(at: number, size: number, mode: PaddingMode): number {
  if (at >= 0 && at < size) return at;
  switch (mode) {
    case "zeros":
      return -1;
    case "replicate":
      return at < 0 ? 0 : size - 1;
    case "circular":
      return (at + size) % size;
    case "reflect":
      return at < 0 ? -at : 2 * (size - 1) - at;
    case "symmetric":
      return at < 0 ? -at - 1 : 2 * size - 1 - at;
  }
}
