/** Boxes with upright sides, in pixels: `right` and `bottom` are the first column and row beyond. */

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** 0 for a box without pixels. */
export const areaOf = ({ left, top, right, bottom }: Box): number =>
  Math.max(0, right - left) * Math.max(0, bottom - top);

/** What two boxes have in common, as a share of what they cover together: 1 for the same box, 0 for boxes apart. */
export function intersectionOverUnion(a: Box, b: Box): number {
  const common = areaOf({
    left: Math.max(a.left, b.left),
    top: Math.max(a.top, b.top),
    right: Math.min(a.right, b.right),
    bottom: Math.min(a.bottom, b.bottom),
  });
  const union = areaOf(a) + areaOf(b) - common;
  return union > 0 ? common / union : 0;
}
