/** The gradient of a cross-entropy by its logits: its plan, and the same on the host. */
import kernel from "../../../../shaders/nn/cross_entropy_gradient.wgsl";
import { dispatch, foldWorkgroups } from "../../../planning/solver.js";
import { named, type TensorOperation } from "../../../planning/tensorOperation.js";
import { product } from "../../../problem/geometry.js";
import { makeOperation, positive } from "../../core/operation.js";
import { classParts, type CrossEntropy, labelIn, operandsFor, resizedParts, rowOnHost } from "./classRows.js";

/** Reads the operands of the loss, its gradient "dloss" and the "count" that it was divided by. */
export function crossEntropyGradient(parts: CrossEntropy): TensorOperation {
  const { logits, rows, reduction, isDistribution, ignoreIndex, labelSmoothing } = parts;
  const isMean = reduction === "mean";
  return makeOperation({
    name: "crossEntropyGradient",
    options: { rows, reduction, isDistribution, ignoreIndex, labelSmoothing },
    operands: {
      ...operandsFor(parts),
      dloss: { shape: [reduction === "none" ? rows.rows : 1], dtype: "float32" },
      ...(isMean && { count: { shape: [1], dtype: "float32" } }),
    },
    results: { dx: logits },
    resized: (to) => crossEntropyGradient(resizedParts(parts, to)),
    trialValues: {
      ...(!isDistribution && { target: labelIn(rows, parts.ignoreIndex) }),
      weight: positive,
      count: positive,
    },
    solvers: [
      {
        name: "rows",
        plan(capabilities) {
          const { together, constants, types, uniforms, bindings } = classParts(parts, capabilities);
          const groups = Math.ceil(rows.rows / together);
          const step = dispatch(kernel, {
            constants,
            types,
            uniforms: { ...uniforms, groups },
            bindings: {
              ...bindings,
              upstream: named("dloss"),
              count: isMean ? named("count") : "unused",
              result: named("dx"),
            },
            workgroups: foldWorkgroups(groups, capabilities),
          });
          return { dispatches: [step], scratchBytes: {} };
        },
      },
    ],
    compute(values) {
      const dx = new Float64Array(product(logits.shape));
      for (let row = 0; row < rows.rows; row++) {
        const { label, places, logarithms, targets } = rowOnHost(parts, values, row);
        if (label === "ignored") continue;
        const mass = targets.reduce((sum, target) => sum + target, 0);
        const factor = values.dloss[reduction === "none" ? row : 0] / (isMean ? values.count[0] : 1);
        for (const [c, place] of places.entries()) dx[place] = (Math.exp(logarithms[c]) * mass - targets[c]) * factor;
      }
      return { dx };
    },
  });
}
