/** The forward pass of normalisations as an operation. */
import { named, type TensorOperation, type TensorSpec } from "../../../planning/tensorOperation.js";
import type { ActivationSpec } from "../../../problem/activation.js";
import { makeOperation } from "../../core/operation.js";
import { normalize } from "./normalize.js";
import { momentsOnHost, normalizeOnHost, statisticsOnHost } from "./normOnHost.js";
import { type NormParts, type NormShape, setsOf } from "./normShape.js";
import { normStatistics } from "./normStatistics.js";

/** A normalisation of a tensor. */
export interface Norm {
  readonly name: string;
  readonly shape: NormShape;
  readonly x: TensorSpec;
  readonly parts: NormParts;
  /** Of weight and bias: as many values as there are channels. */
  readonly parameterShape: readonly number[];
  readonly activation: ActivationSpec;
  readonly eps: number;
  /** "running": by running statistics; "updated": by those of the values, which update running ones; else by those of the values. */
  readonly statistics: "own" | "updated" | "running";
  readonly momentum: number;
}

/** Weight, bias, running mean and running variance. */
export const parameterSpec = ({ parameterShape: shape }: Norm): TensorSpec => ({ shape, dtype: "float32" });

/** Pairs of numbers a set. */
export const statisticsSpec = ({ shape }: Norm): TensorSpec => ({ shape: [setsOf(shape), 2], dtype: "float32" });

/** What both passes read: x, and what there is of weight, bias, residual and running statistics. */
export function operandsOf(norm: Norm): Record<string, TensorSpec> {
  const { x, parts, statistics } = norm;
  const parameter = parameterSpec(norm);
  return {
    x,
    ...(parts.weight ? { weight: parameter } : {}),
    ...(parts.bias ? { bias: parameter } : {}),
    ...(parts.residual ? { residual: x } : {}),
    ...(statistics === "own" ? {} : { runningMean: parameter, runningVar: parameter }),
  };
}

/** Results: y, and the statistics that gradients read, where they are those of the values. */
export function normOperation(norm: Norm): TensorOperation {
  const { name, shape, x, activation, eps, statistics, momentum } = norm;
  // Sets of the channels of one position.
  const isPointwise = norm.parameterShape.length === 1 && shape.positions === 1 && shape.groups === 1;
  const updates = statistics === "updated";
  const evaluates = statistics === "running";
  return makeOperation({
    name,
    options: { shape, activation, eps, statistics, momentum },
    operands: operandsOf(norm),
    results: { y: x, ...(evaluates ? {} : { statistics: statisticsSpec(norm) }) },
    ...(evaluates || isPointwise ? {} : { reach: "everything" }),
    ...(updates ? { updates: ["runningMean", "runningVar"] } : {}),
    solvers: [
      {
        name: evaluates ? "one-pass" : "two-pass",
        plan(capabilities) {
          const source = named("statistics");
          const last = normalize(shape, x.dtype, norm, evaluates ? "running" : source, capabilities);
          if (evaluates) return { dispatches: [last], scratchBytes: {} };
          const options = { eps, momentum: updates ? momentum : undefined };
          const { dispatches, scratchBytes } = normStatistics(shape, x.dtype, options, source, capabilities);
          return { dispatches: [...dispatches, last], scratchBytes };
        },
      },
    ],
    compute(values) {
      const { x: input, runningMean, runningVar } = values;
      if (evaluates) {
        return { y: normalizeOnHost(values, statisticsOnHost(runningMean, runningVar, eps), shape, activation) };
      }
      const { mean, variance, unbiased } = momentsOnHost(input, shape, setsOf(shape));
      const pairs = statisticsOnHost(mean, variance, eps);
      const y = normalizeOnHost(values, pairs, shape, activation);
      if (!updates) return { y, statistics: pairs };
      const moved = (before: ArrayLike<number>, now: Float64Array): Float64Array =>
        now.map((value, channel) => (1 - momentum) * before[channel] + momentum * value);
      return { y, statistics: pairs, runningMean: moved(runningMean, mean), runningVar: moved(runningVar, unbiased) };
    },
  });
}
