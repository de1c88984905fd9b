/** The small problem on which kernels of an operation are tried that names its tensors itself. */
import type { TrialGround } from "../gpu/pipelines/trial.js";
import { runTensorOperation } from "../gpu/runTensorOperation.js";
import { uploadValues } from "../gpu/uploads.js";
import type { SolverPlan } from "../planning/solver.js";
import type { TensorOperation } from "../planning/tensorOperation.js";
import { type DType, encode } from "../problem/dtype.js";
import { product } from "../problem/geometry.js";
import type { Mismatch } from "./compare.js";
import type { Experiment } from "./experiment.js";
import { integers } from "./integers.js";
import { tensorTwinOf } from "./tensorTwin.js";

/** Of a value and of the mean magnitude: how far kernels may be off that round a few dozen times, and cancel some of it. */
const ROUNDING = { float32: 2 ** -12, float16: 2 ** -7 } as const satisfies Record<DType, number>;
/** Of results that are small because terms of some magnitude cancel: derivatives far out, say. */
const CANCELLED = 2 ** -14;
/** Of what is integers throughout, counts and places say: a wrong one is off by 1 or more. */
const SLACK = 2 ** -4;
const LARGEST_EXACT = 2 ** 24;
/** Of finite values. */
const LARGEST = { float32: 3.4e38, float16: 65_504 } as const satisfies Record<DType, number>;

/** Undefined where no small problem has the same kernels. */
export function tensorExperiment(
  whole: TensorOperation,
  plan: SolverPlan,
  { capabilities }: TrialGround,
): Experiment | undefined {
  const twin = tensorTwinOf(whole, plan, capabilities);
  if (!twin) return undefined;
  const { operands, results, updates = [], trialValues, compute, ...operation } = twin.operation;
  const inputs = Object.entries(operands).map(([name, { shape, dtype }], seed) => {
    const valueOf = trialValues?.[name];
    const values = valueOf
      ? Float32Array.from({ length: product(shape) }, (_, element) => valueOf(element))
      : integers(product(shape), seed).map((value) => value || 3);
    return { name, shape, dtype, values };
  });
  const names = [...Object.keys(results), ...updates];
  const isHalf = [...Object.values(operands), ...Object.values(results)].some(({ dtype }) => dtype === "float16");
  // What is updated in place has its own type throughout; results may be made of what was rounded.
  const typesOf = (name: string): readonly [own: DType, rounded: DType] =>
    name in results
      ? [results[name].dtype, isHalf ? "float16" : "float32"]
      : [operands[name].dtype, operands[name].dtype];
  const solvers = operation.solvers.filter(({ name }) => name === twin.plan.solver);
  return {
    ...twin,
    inputs,
    results: names,
    run(parts) {
      const storages = Object.fromEntries(
        inputs.map(({ name, values, shape, dtype }) => [
          name,
          uploadValues(parts, encode(values, dtype), shape, dtype),
        ]),
      );
      const only = { ...operation, operands, results, updates, compute, solvers };
      return [...runTensorOperation(parts, only, storages), ...updates.map((name) => storages[name])];
    },
    expected() {
      const computed = compute(Object.fromEntries(inputs.map(({ name, values }) => [name, values])));
      return names.map((name) => Float64Array.from(computed[name]));
    },
    mismatch: (got, expected, name) => mismatchOf(got, expected, ...typesOf(name)),
  };
}

/** The first element that is wrong; undefined where there is none. What nobody wrote is NaN, and wrong. */
function mismatchOf(got: Float32Array, expected: Float64Array, dtype: DType, rounded: DType): Mismatch | undefined {
  const isExact =
    dtype === "float32" && expected.every((value) => Number.isInteger(value) && Math.abs(value) <= LARGEST_EXACT);
  /** Beyond what the type holds there are infinities. */
  const held = expected.filter((value) => Math.abs(value) <= LARGEST[dtype]);
  const mean = held.reduce((sum, value) => sum + Math.abs(value) / held.length, 0);
  for (let index = 0; index < expected.length; index++) {
    const value = expected[index];
    const bound = isExact ? SLACK : CANCELLED + ROUNDING[rounded] * (mean + Math.abs(value));
    if (Math.abs(value) > LARGEST[dtype] || Object.is(got[index], value)) continue;
    if (!(Math.abs(got[index] - value) <= bound)) return { index, got: got[index], expected: value };
  }
  return undefined;
}
