/** How many rows have their largest logit at their label: the plan, and the same on the host. */
import kernel from "../../../../shaders/nn/count_correct.wgsl";
import { dispatch, foldWorkgroups } from "../../../planning/solver.js";
import { named, type TensorOperation, type TensorSpec } from "../../../planning/tensorOperation.js";
import { BYTES_PER_ELEMENT } from "../../../problem/dtype.js";
import { elementOf } from "../../core/elements.js";
import { makeOperation } from "../../core/operation.js";
import { lanesFor, placesOf, resizedRows, type Rows } from "../../core/rows.js";
import { labelIn } from "./classRows.js";
import { finishMean } from "./finishMean.js";

/** Workgroups whose counts are added up at most. */
const MOST_GROUPS = 1024;

/** Results "right", and "counted": of how many rows. */
export function countCorrectOperation(
  operands: Readonly<Record<"logits" | "labels", TensorSpec>>,
  along: Rows,
  ignoreIndex: number,
): TensorOperation {
  const { rows, extent, inner } = along;
  const one = { shape: [1], dtype: "float32" } as const;
  return makeOperation({
    name: "accuracy",
    options: { along, ignoreIndex },
    operands,
    results: { right: one, counted: one },
    resized(to) {
      const its = resizedRows(along, to);
      const [logits, labels] = [[its.rows, its.extent], [its.rows]];
      const specs = { logits: { ...operands.logits, shape: logits }, labels: { ...operands.labels, shape: labels } };
      return countCorrectOperation(specs, its, ignoreIndex);
    },
    trialValues: { labels: labelIn(along) },
    solvers: [
      {
        name: "rows",
        plan(capabilities) {
          const { lanes, rowsFirst, together } = lanesFor(along);
          const turns = Math.ceil(rows / together);
          const rounds = Math.ceil(turns / MOST_GROUPS);
          const groups = Math.ceil(turns / rounds);
          const step = dispatch(kernel, {
            constants: { LANES: lanes, ROWS_FIRST: rowsFirst },
            types: {
              Logit: elementOf(operands.logits.dtype, capabilities),
              Label: elementOf(operands.labels.dtype, capabilities),
            },
            uniforms: { rows, classes: extent, inner, groups, rounds, ignored: ignoreIndex },
            bindings: { logits: named("logits"), labels: named("labels"), pairs: "partials" },
            workgroups: foldWorkgroups(groups, capabilities),
          });
          const results = { pairs: "partials", result: named("right"), count: named("counted") } as const;
          return {
            dispatches: [step, finishMean(groups, false, results)],
            scratchBytes: { partials: 2 * groups * BYTES_PER_ELEMENT.float32 },
          };
        },
      },
    ],
    compute({ logits, labels }) {
      const numbers = Array.from({ length: rows }, (_, row) => row).filter((row) => labels[row] !== ignoreIndex);
      const right = numbers.filter((row) => {
        const values = placesOf(along, row).map((place) => logits[place]);
        const firstNaN = values.findIndex((value) => Number.isNaN(value));
        return (
          labels[row] ===
          (firstNaN >= 0 ? firstNaN : values.indexOf(values.reduce((most, value) => Math.max(most, value), -Infinity)))
        );
      });
      return { right: Float64Array.of(right.length), counted: Float64Array.of(numbers.length) };
    },
  });
}
