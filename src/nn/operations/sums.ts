/** Sums and means over axes. */
import { require, show } from "../../base/errors.js";
import { listOf, type NumberList } from "../../base/list.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { product } from "../../problem/geometry.js";
import type { Tensor } from "../../tensor/tensor.js";
import { axesOf, fitsKernels } from "../core/broadcast.js";
import { contextOf, specOf } from "../core/operation.js";
import { recordStep } from "../tape/step.js";
import { type Elementwise, runElementwise } from "./elementwise.js";
import { runReduce } from "./reduce.js";

export interface SumOptions {
  /** One or several; negative ones count from the end. All when absent. */
  readonly axes?: number | NumberList;
  /** Whether axes that are summed over stay, with an extent of 1. Not when absent. */
  readonly keepDims?: boolean;
}

const OPTIONS = optionKeys<SumOptions>({ axes: 1, keepDims: 1 }, { number: "axes" });

/**
 * The sum over axes, in float32 and a fixed order, without long chains of additions.
 *
 * @returns of the type of x; `[1]` where no axis is left
 * @throws ArgumentError for axes that x has not, or has twice.
 */
export const sum = (x: Tensor, options: SumOptions = {}): Tensor => total("sum", x, options);

/** The mean over axes: {@link sum}, divided by how many elements it is of. */
export const mean = (x: Tensor, options: SumOptions = {}): Tensor => total("mean", x, options);

function total(name: "sum" | "mean", x: Tensor, options: SumOptions): Tensor {
  requireOptions(options, OPTIONS);
  const { shape, dtype } = specOf(x, "x");
  const over = readAxes(options.axes, shape.length);
  const kept = shape.map((extent, axis) => (over.includes(axis) ? 1 : extent));
  const left = shape.filter((_, axis) => !over.includes(axis));
  const result = options.keepDims === true ? kept : left.length > 0 ? left : [1];
  const scale = name === "mean" ? 1 / product(over.map((axis) => shape[axis])) : 1;
  const parts = { layout: "channels-first", term: "identity", scale, dtype } as const;
  const y = runReduce([x], { ...parts, name, whole: shape, over, shape: result });
  recordStep({
    name,
    inputs: [x],
    outputs: [y],
    saved: [],
    backward([dy]) {
      if (!dy) return [];
      using viewed = contextOf(dy, "dy").view(dy, kept);
      return [spread(viewed, { ...parts, name: `gradient of ${name}`, shape }, over)];
    },
  });
  return y;
}

/** Broadcasts to the shape: at once, or where that takes more groups of axes than kernels have, along one axis after the other. */
function spread(x: Tensor, parts: Omit<Elementwise, "operands">, over: readonly number[]): Tensor {
  if (fitsKernels(axesOf(parts.shape, [specOf(x, "x")], parts.layout))) return runElementwise([x], parts);
  const [first, ...others] = over;
  const shape = x.shape.map((extent, axis) => (axis === first ? parts.shape[axis] : extent));
  using part = runElementwise([x], { ...parts, scale: 1, shape });
  return spread(part, parts, others);
}

function readAxes(axes: SumOptions["axes"], rank: number): readonly number[] {
  const list: readonly unknown[] =
    axes === undefined ? Array.from({ length: rank }, (_, axis) => axis) : (listOf(axes) ?? [axes]);
  const fail = (): string => {
    return `axes is ${show(listOf(axes) ?? axes)}; expected different integers from ${String(-rank)} to ${String(rank - 1)}, for ${String(rank)} axes`;
  };
  const read = list.map((axis) => {
    require(typeof axis === "number" && Number.isInteger(axis) && axis >= -rank && axis < rank, fail);
    return axis < 0 ? axis + rank : axis;
  });
  require(new Set(read).size === read.length, fail);
  return read;
}
