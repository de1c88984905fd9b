/** Logits and what they are compared with, as the kernels of cross-entropy have them (shaders/common/class_rows.wgsl). */
import { named, type Numbers, type Resize, type TensorSpec } from "../../../planning/tensorOperation.js";
import type { Capabilities } from "../../../planning/capabilities.js";
import { elementOf } from "../../core/elements.js";
import { lanesFor, placesOf, resizedRows, type Rows } from "../../core/rows.js";

/** How the losses of rows become one. */
export const REDUCTIONS = ["mean", "sum", "none"] as const;
export type LossReduction = (typeof REDUCTIONS)[number];

/** What a cross-entropy, and its gradient, are planned from. */
export interface CrossEntropy {
  readonly logits: TensorSpec;
  readonly target: TensorSpec;
  /** Absent where all classes weigh 1. */
  readonly weight: TensorSpec | undefined;
  readonly rows: Rows;
  /** Whether targets are distributions, and not labels. */
  readonly isDistribution: boolean;
  readonly reduction: LossReduction;
  readonly ignoreIndex: number;
  readonly labelSmoothing: number;
}

/** Operands by name. */
export const operandsFor = ({ logits, target, weight }: CrossEntropy): Readonly<Record<string, TensorSpec>> => ({
  logits,
  target,
  ...(weight && { weight }),
});

/** The same with other extents, for trials. */
export function resizedParts(parts: CrossEntropy, to: Resize): CrossEntropy {
  const { logits, target, weight, isDistribution } = parts;
  const rows = resizedRows(parts.rows, to);
  const shape = [rows.rows, rows.extent];
  return {
    ...parts,
    rows,
    logits: { ...logits, shape },
    target: { ...target, shape: isDistribution ? shape : [rows.rows] },
    weight: weight && { ...weight, shape: [rows.extent] },
  };
}

/** Labels, in trials: not the one that is ignored, where the first rows have it. */
export const labelIn =
  ({ extent }: Rows, ignored?: number) =>
  (row: number): number =>
    (row + (ignored === 0 ? 1 : 0)) % extent;

/** What its kernels have in common. */
export function classParts(parts: CrossEntropy, capabilities: Capabilities) {
  const { logits, target, weight, rows, isDistribution, reduction, ignoreIndex, labelSmoothing } = parts;
  const { lanes, rowsFirst, together } = lanesFor(rows);
  return {
    together,
    constants: {
      LANES: lanes,
      ROWS_FIRST: rowsFirst,
      DISTRIBUTION: isDistribution,
      SMOOTHED: labelSmoothing > 0,
      WEIGHTED: weight !== undefined,
      PER_ROW: reduction === "none",
      MEAN: reduction === "mean",
    },
    types: {
      Logit: elementOf(logits.dtype, capabilities),
      Share: elementOf(target.dtype, capabilities),
      Weight: elementOf(weight?.dtype ?? "float32", capabilities),
    },
    uniforms: {
      rows: rows.rows,
      classes: rows.extent,
      inner: rows.inner,
      ignored: ignoreIndex,
      smoothing: labelSmoothing,
      notANumber: NaN,
    },
    bindings: { logits: named("logits"), shares: named("target"), classWeights: weight ? named("weight") : "unused" },
  } as const;
}

/** A row on the host, in float64. */
export interface RowOnHost {
  /** The class; undefined for distributions, and for labels that are none. */
  readonly label: number | "ignored" | undefined;
  /** Where its logits lie. */
  readonly places: readonly number[];
  /** log softmax of its logits. */
  readonly logarithms: readonly number[];
  /** What they are compared with, times the weights of classes. */
  readonly targets: readonly number[];
  /** What the row counts in a mean: the weight of its label, 0 where it is ignored. */
  readonly count: number;
}

export function rowOnHost(parts: CrossEntropy, values: Readonly<Record<string, Numbers>>, row: number): RowOnHost {
  const { rows, isDistribution, ignoreIndex, labelSmoothing } = parts;
  const { logits, target } = values;
  const places = placesOf(rows, row);
  const largest = places.reduce((most, place) => Math.max(most, logits[place]), -Infinity);
  const total = places.reduce((sum, place) => sum + Math.exp(logits[place] - largest), 0);
  const logarithms = places.map((place) => logits[place] - largest - Math.log(total));
  const weightOf = (c: number): number => ("weight" in values ? values.weight[c] : 1);
  const smooth = (share: number, c: number): number =>
    weightOf(c) * ((1 - labelSmoothing) * share + labelSmoothing / rows.extent);
  if (isDistribution) {
    const targets = places.map((place, c) => smooth(target[place], c));
    return { label: undefined, places, logarithms, targets, count: 1 };
  }
  const label = target[row];
  if (label === ignoreIndex) return { label: "ignored", places, logarithms, targets: places.map(() => 0), count: 0 };
  const isLabel = Number.isInteger(label) && label >= 0 && label < rows.extent;
  if (!isLabel) return { label: undefined, places, logarithms, targets: places.map(() => NaN), count: NaN };
  const targets = places.map((_, c) => smooth(c === label ? 1 : 0, c));
  return { label, places, logarithms, targets, count: weightOf(label) };
}
