/** The forward pass of normalisations as an operation. */
import type { Capabilities } from "../../../planning/capabilities.js";
import { named, type TensorOperation } from "../../../planning/tensorOperation.js";
import { makeOperation, positive } from "../../core/operation.js";
import { type Norm, operandsOf, resizedNorm, statisticsSpec } from "./norm.js";
import { normalize } from "./normalize.js";
import { normalizeSets } from "./normalizeSets.js";
import { momentsOnHost, normalizeOnHost, statisticsOnHost } from "./normOnHost.js";
import { setsOf } from "./normShape.js";
import { normStatistics } from "./normStatistics.js";

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
    ...(isPointwise ? { mixes: [x.shape.length - 1] } : {}),
    ...(updates ? { updates: ["runningMean", "runningVar"] } : {}),
    resized: (to) => normOperation(resizedNorm(norm, to)),
    trialValues: { runningVar: positive },
    solvers: [
      ...(evaluates ? [] : [{ name: "one-read", plan: (device: Capabilities) => normalizeSets(norm, device) }]),
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
