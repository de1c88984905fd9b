/** Cross-entropy of logits, forward: its plan, and the same on the host. */
import kernel from "../../../../shaders/nn/cross_entropy.wgsl";
import { type Dispatch, dispatch, foldWorkgroups, type Steps } from "../../../planning/solver.js";
import { named, type TensorOperation } from "../../../planning/tensorOperation.js";
import type { Capabilities } from "../../../planning/capabilities.js";
import { BYTES_PER_ELEMENT } from "../../../problem/dtype.js";
import { makeOperation, positive } from "../../core/operation.js";
import { classParts, type CrossEntropy, labelIn, operandsFor, resizedParts, rowOnHost } from "./classRows.js";
import { finishMean } from "./finishMean.js";

/** Logits that one workgroup takes, where that saves the dispatch that sums workgroups. */
const MOST_ALONE = 8192;
/** Workgroups that are summed at most. */
const MOST_GROUPS = 1024;

/** Results "loss", of one value or one a row; and "count", what a mean is divided by, where rows are reduced. */
export function crossEntropyOperation(parts: CrossEntropy): TensorOperation {
  const { rows, reduction, isDistribution, ignoreIndex, labelSmoothing } = parts;
  return makeOperation({
    name: "crossEntropy",
    options: { rows, reduction, isDistribution, ignoreIndex, labelSmoothing },
    operands: operandsFor(parts),
    results: {
      loss: { shape: [reduction === "none" ? rows.rows : 1], dtype: "float32" },
      ...(reduction !== "none" && { count: { shape: [1], dtype: "float32" } }),
    },
    ...(reduction === "none" ? {} : { reach: "everything" }),
    resized: (to) => crossEntropyOperation(resizedParts(parts, to)),
    trialValues: { ...(!isDistribution && { target: labelIn(rows, parts.ignoreIndex) }), weight: positive },
    solvers: [{ name: "rows", plan: (capabilities) => plan(parts, capabilities) }],
    compute(values) {
      const each = Array.from({ length: rows.rows }, (_, row) => {
        const { label, logarithms, targets, count } = rowOnHost(parts, values, row);
        // An ignored row is 0, whatever its logits are.
        if (label === "ignored") return { loss: 0, count };
        // Of a label the sum is one term, also where another logarithm is -infinity; of others it is all.
        const hasAll = isDistribution || labelSmoothing > 0 || label === undefined;
        const terms = logarithms.map((logarithm, c) => targets[c] * logarithm);
        return { loss: -(hasAll ? terms.reduce((sum, term) => sum + term, 0) : terms[label]), count };
      });
      const count = each.reduce((sum, row) => sum + row.count, 0);
      const sum = each.reduce((total, row) => total + row.loss, 0);
      const losses = reduction === "none" ? each.map(({ loss }) => loss) : [reduction === "mean" ? sum / count : sum];
      return { loss: Float64Array.from(losses), count: Float64Array.of(count) };
    },
  });
}

function plan(parts: CrossEntropy, capabilities: Capabilities): Steps {
  const { rows, extent } = parts.rows;
  const { together, constants, types, uniforms, bindings } = classParts(parts, capabilities);
  const turns = Math.ceil(rows / together);
  const perRow = constants.PER_ROW;
  const rounds = perRow ? 1 : rows * extent <= MOST_ALONE ? turns : Math.ceil(turns / MOST_GROUPS);
  const groups = Math.ceil(turns / rounds);
  const isSplit = !perRow && groups > 1;
  const step: Dispatch = dispatch(kernel, {
    constants: { ...constants, SINGLE: !perRow && !isSplit },
    types,
    uniforms: { ...uniforms, groups, rounds },
    bindings: {
      ...bindings,
      losses: isSplit ? "partials" : named("loss"),
      // Written where there is one workgroup. What is unused may be read elsewhere, and cannot be bound to be written.
      count: perRow ? "statistics" : named("count"),
    },
    workgroups: foldWorkgroups(groups, capabilities),
  });
  if (perRow) return { dispatches: [step], scratchBytes: { statistics: BYTES_PER_ELEMENT.float32 } };
  if (!isSplit) return { dispatches: [step], scratchBytes: {} };
  const results = { pairs: "partials", result: named("loss"), count: named("count") } as const;
  return {
    dispatches: [step, finishMean(groups, constants.MEAN, results)],
    scratchBytes: { partials: 2 * groups * BYTES_PER_ELEMENT.float32 },
  };
}
