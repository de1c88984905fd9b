/** Hints for messages that refuse shapes: another layout by which they would fit. */
import {
  type ActivationExtents,
  joinActivation,
  type Layout,
  LAYOUTS,
  splitActivation,
  splitWeight,
  WEIGHT_ORDERS,
  type WeightExtents,
  type WeightOrder,
} from "./layout.js";

/** Shapes as they were read, and a test whether others would fit. */
export interface Mismatch {
  readonly layout: Layout;
  readonly order: WeightOrder;
  readonly input: ActivationExtents;
  readonly weightShape: readonly number[];
  readonly fits: (input: ActivationExtents, weight: WeightExtents) => boolean;
  /** What the caller calls an order of the weight. */
  readonly nameOf: (order: WeightOrder) => string;
}

/** `; x looks channels-last: say layout: "channels-last"`, or the like of w, or of both; empty where that would not help. */
export function layoutHint({ layout, order, input, weightShape, fits, nameOf }: Mismatch): string {
  const shape = joinActivation(input, layout);
  const ways = LAYOUTS.flatMap((otherLayout) => WEIGHT_ORDERS.map((otherOrder) => ({ otherLayout, otherOrder })));
  const fitting = ways.flatMap((way) => {
    const weight = splitWeight(weightShape, way.otherOrder);
    // Filters are mostly square, and one error is likelier than two.
    const isSquare = weight.spatial.every((extent) => extent === weight.spatial[0]);
    const [otherX, otherW] = [way.otherLayout !== layout, way.otherOrder !== order];
    const isLikely = (isSquare || !otherW) && fits(splitActivation(shape, way.otherLayout), weight);
    return isLikely ? [{ ...way, rank: Number(otherX) + Number(otherW) + (isSquare ? 0 : 4) }] : [];
  });
  const [best] = fitting.sort((one, other) => one.rank - other.rank);
  if (fitting.length === 0) return "";
  const { otherLayout, otherOrder } = best;
  const x = otherLayout === layout ? [] : [`x looks ${otherLayout}: say layout: "${otherLayout}"`];
  const name = nameOf(otherOrder);
  const w = otherOrder === order ? [] : [`w looks ${name}: say weightLayout: "${name}"`];
  return [...x, ...w].map((hint) => `; ${hint}`).join("");
}

/** Likewise of a shape that differs only in the place of its channels. */
export function channelsHint(name: string, actual: readonly number[], expected: readonly number[]): string {
  if (expected.length < 3) return "";
  const other = LAYOUTS.find((layout) => {
    const from = layout === "channels-last" ? "channels-first" : "channels-last";
    return String(joinActivation(splitActivation(expected, from), layout)) === String(actual);
  });
  return other === undefined ? "" : `; ${name} looks ${other}: say layout: "${other}"`;
}
