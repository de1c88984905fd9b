/** Sums of terms over axes, of operands that are broadcast. */
import kernel from "../../../shaders/nn/reduce.wgsl";
import { BYTES_PER_ELEMENT, type DType } from "../../problem/dtype.js";
import { product } from "../../problem/geometry.js";
import type { Layout } from "../../problem/layout.js";
import type { Capabilities } from "../../planning/capabilities.js";
import { type BindingSource, type Dispatch, dispatch, foldWorkgroups, type Steps } from "../../planning/solver.js";
import { named, type TensorOperation } from "../../planning/tensorOperation.js";
import type { Tensor } from "../../tensor/tensor.js";
import { type Axis, axesOf, axisUniforms, merged, offsetsOn } from "../core/broadcast.js";
import { elementOf, powerOfTwo, THREADS } from "../core/elements.js";
import { makeOperation, runOne } from "../core/operation.js";
import { operandParts, operandsOf, resizedTerm, type ScaledTerm, specsOf, termOnHost } from "../core/operands.js";
import { termCode } from "../core/terms.js";

/** What is summed. */
export interface Reduction extends ScaledTerm {
  /** As the caller knows it. */
  readonly name: string;
  /** Of the terms, before they are summed. */
  readonly whole: readonly number[];
  /** Axes of the whole that are summed over. */
  readonly over: readonly number[];
  /** Of the result, with as many elements as the other axes. */
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly layout: Layout;
}

/** Terms that a thread adds at most, one after the other. */
const LONGEST_CHAIN = 32;

/** A sum that is not whole yet. */
const PARTIAL = { shape: [], dtype: "float32" } as const;

/** Runs it on tensors and numbers. */
export function runReduce(given: readonly (Tensor | number)[], parts: Omit<Reduction, "operands">): Tensor {
  const { operands, tensors } = operandsOf(given);
  return runOne(reduce({ ...parts, operands }), tensors);
}

export function reduce(parts: Reduction): TensorOperation {
  const { name, term, operands, whole, over, shape, dtype, layout, scale = 1, delta = 0 } = parts;
  const axes = axesOf(whole, operands, layout);
  const kept = axes.filter((_, axis) => !over.includes(axis));
  const summed = axes.filter((_, axis) => over.includes(axis));
  return makeOperation({
    name,
    options: {
      term,
      numbers: operands.map((one) => (typeof one === "number" ? one : null)),
      whole,
      over,
      layout,
      scale,
      delta,
    },
    operands: specsOf(operands),
    results: { y: { shape, dtype } },
    ...(Math.max(...over) > 1 && { reach: "everything" }),
    mixes: over,
    resized(to) {
      const [smaller, result] = [whole, shape].map((extents) => extents.map((extent) => to(extent)));
      return reduce({ ...resizedTerm(parts, to), whole: smaller, shape: result });
    },
    solvers: [{ name: "tree", plan: (capabilities) => planStages(parts, kept, summed, capabilities) }],
    compute(values) {
      const valueAt = termOnHost({ ...parts, scale: 1 }, values);
      const sums = new Float64Array(product(shape));
      const none = operands.map(() => 0);
      for (let row = 0; row < sums.length; row++) {
        const base = kept.length > 0 ? offsetsOn(kept, row) : none;
        for (let j = 0; j < product(summed.map(({ extent }) => extent)); j++) {
          const more = summed.length > 0 ? offsetsOn(summed, j) : none;
          sums[row] += valueAt(base.map((offset, i) => offset + more[i]));
        }
        sums[row] *= scale;
      }
      return { y: sums };
    },
  });
}

/** A dispatch, and others that sum the splits of the one before, until each sum is whole. */
function planStages(
  { term, operands, dtype, scale = 1, delta = 0 }: Reduction,
  kept: readonly Axis[],
  summed: readonly Axis[],
  capabilities: Capabilities,
): Steps {
  const first = operandParts(operands, capabilities);
  let stage: Omit<Stage, "result" | "Result" | "scale"> = {
    ...first,
    kept: merged(kept),
    summed: merged(summed),
    constants: { ...first.constants, TERM: termCode(term) },
    delta,
  };
  const dispatches: Dispatch[] = [];
  const bytes = [0, 0];
  for (;;) {
    const { splits, rows } = tilingOf(stage);
    if (splits === 1) {
      const last = { ...stage, scale, result: named("y"), Result: elementOf(dtype, capabilities) };
      dispatches.push(stageDispatch(last, capabilities));
      break;
    }
    const target = dispatches.length % 2;
    bytes[target] = Math.max(bytes[target], splits * rows * BYTES_PER_ELEMENT.float32);
    const result = target === 0 ? "partials" : "sums";
    dispatches.push(stageDispatch({ ...stage, scale: 1, result, Result: "f32" }, capabilities));
    stage = {
      ...operandParts([PARTIAL], capabilities),
      constants: { OPERANDS: 1, NUMBERS: 0, TERM: termCode("identity") },
      bindings: { ...operandParts([PARTIAL], capabilities).bindings, firstOperand: result },
      kept: [{ extent: rows, steps: [1] }],
      summed: [{ extent: splits, steps: [rows] }],
      delta,
    };
  }
  return {
    dispatches,
    scratchBytes: { ...(bytes[0] > 0 && { partials: bytes[0] }), ...(bytes[1] > 0 && { sums: bytes[1] }) },
  };
}

/** One dispatch. */
interface Stage extends Omit<ReturnType<typeof operandParts>, "constants"> {
  readonly constants: ReturnType<typeof operandParts>["constants"] & { readonly TERM: number };
  readonly kept: readonly Axis[];
  readonly summed: readonly Axis[];
  readonly scale: number;
  readonly delta: number;
  readonly result: BindingSource;
  readonly Result: "f16" | "f32";
}

const extentOf = (axes: readonly Axis[]): number => product(axes.map(({ extent }) => extent));

/** How the threads of workgroups lie along rows and terms, and in how many splits terms are summed. */
function tilingOf({ kept, summed }: Pick<Stage, "kept" | "summed">) {
  const rows = extentOf(kept);
  const terms = extentOf(summed);
  const rowsFirst = rows > 1 && (kept.at(-1)?.steps[0] ?? 0) === 1;
  const lanes = rowsFirst
    ? THREADS / Math.min(THREADS, powerOfTwo(rows))
    : Math.min(THREADS, powerOfTwo(Math.max(1, terms)));
  const termsPerSplit = lanes * LONGEST_CHAIN;
  const splits = Math.max(1, Math.ceil(terms / termsPerSplit));
  return { rows, terms, rowsFirst, lanes, termsPerSplit, splits, groups: Math.ceil(rows / (THREADS / lanes)) };
}

function stageDispatch(stage: Stage, capabilities: Capabilities): Dispatch {
  const { rows, terms, rowsFirst, lanes, termsPerSplit, splits, groups } = tilingOf(stage);
  const kept = axisUniforms(stage.kept);
  const summed = axisUniforms(stage.summed);
  return dispatch(kernel, {
    constants: {
      ...stage.constants,
      LANES: lanes,
      ROWS_FIRST: rowsFirst,
      KEPT: kept.count,
      SUMMED: summed.count,
    },
    types: { ...stage.types, Result: stage.Result },
    uniforms: {
      rows,
      groups,
      terms,
      termsPerSplit,
      tasks: splits * groups,
      scale: stage.scale,
      delta: stage.delta,
      numbers: stage.numbers,
      keptExtents: kept.extents,
      keptSteps0: kept.steps[0],
      keptSteps1: kept.steps[1],
      keptSteps2: kept.steps[2],
      keptSteps3: kept.steps[3],
      summedExtents: summed.extents,
      summedSteps0: summed.steps[0],
      summedSteps1: summed.steps[1],
      summedSteps2: summed.steps[2],
      summedSteps3: summed.steps[3],
    },
    bindings: { ...stage.bindings, result: stage.result },
    workgroups: foldWorkgroups(splits * groups, capabilities),
  });
}
