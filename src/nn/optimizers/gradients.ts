/** Gradients of several parameters together: their norm, clipping, sums over several batches. */
import { memoryOf, type TensorStorage } from "../../backend/backend.js";
import { require, show } from "../../base/errors.js";
import { requireLimit } from "../../base/numbers.js";
import { named, type Numbers, type TensorOperation, type TensorSpec } from "../../planning/tensorOperation.js";
import { product } from "../../problem/geometry.js";
import type { Tensor } from "../../tensor/tensor.js";
import { contextOf, makeOperation, resizedSpec, runOne, runOperation, specOf } from "../core/operation.js";
import { requireNoTape, tapeOf } from "../tape/step.js";
import type { Tensors } from "../tape/tape.js";
import { type AddSlot, addTensors } from "./addTensors.js";
import { type Adjustment, adjustOnHost, adjustTensors } from "./adjustTensors.js";
import { namedTensors, requireApart, requireLike } from "./parameters.js";
import type { Slot } from "./slots.js";
import { normOnHost, vectorNorm } from "./vectorNorm.js";

/**
 * The 2-norm of all elements of all tensors, as of one vector. Sums have the same bits in every run. It has no gradient.
 *
 * @param gradients in a list or by name
 * @returns a tensor of shape [1], float32
 * @throws ArgumentError while a tape records: a loss that it is part of would lack its gradient.
 */
export function gradientNorm(gradients: Tensors): Tensor {
  const given = namedTensors("gradients", gradients);
  require(tapeOf(given[0][1]) === undefined, () =>
    "gradientNorm was called while a tape records, and it has no gradient; expected it after tape.gradients, or sums of mul(x, x)");
  return runOne(normOperation(given.map(specOfEntry)), operandsOf(given), displayNames(given));
}

/**
 * Scales gradients in place so that their norm is at most `maxNorm`: by `min(1, maxNorm / (norm + 1e-6))`, as
 * `torch.nn.utils.clip_grad_norm_`. The optimizers' option `clipNorm` does that within their step, without a pass of its own.
 *
 * @returns the norm before, a tensor of shape [1], float32; where it is NaN, all gradients become that
 */
export function clipGradNorm(gradients: Tensors, maxNorm: number): Tensor {
  requireLimit("maxNorm", maxNorm);
  const apart = changeable("clipGradNorm", gradients);
  const norm = gradientNorm(gradients);
  const operation = adjustOperation(apart.map(specOfEntry), { kind: "clip", norm: "tensor norm", limit: maxNorm });
  runOperation(operation, { ...operandsOf(apart), norm }, displayNames(apart));
  return norm;
}

/** Clamps each element of gradients in place to [-clipValue, clipValue], as `torch.nn.utils.clip_grad_value_`. NaN stays NaN. */
export function clipGradValue(gradients: Tensors, clipValue: number): void {
  requireLimit("clipValue", clipValue);
  const apart = changeable("clipGradValue", gradients);
  const operation = adjustOperation(apart.map(specOfEntry), { kind: "clamp", limit: clipValue });
  runOperation(operation, operandsOf(apart), displayNames(apart));
}

/** Sets all elements of gradients to zero in place. */
export function zeroGradients(gradients: Tensors): void {
  const apart = changeable("zeroGradients", gradients);
  runOperation(adjustOperation(apart.map(specOfEntry), { kind: "clear" }), operandsOf(apart), displayNames(apart));
}

/**
 * Adds gradients to sums in place: those of a batch that is computed in parts. `optimizer.gradientScale = 1 / parts` makes the mean
 * of the sum.
 *
 * @param sums by name or in a list; each has memory of its own
 * @param gradients of the same names, shapes and types
 */
export function accumulate(sums: Tensors, gradients: Tensors): void {
  const into = namedTensors("sums", sums);
  const terms = new Map(namedTensors("gradients", gradients));
  requireNoTape("accumulate", into[0][1]);
  const { core } = contextOf(into[0][1], `sums.${into[0][0]}`);
  const storages = requireApart(core, "sums", into);
  require(terms.size === into.length && into.every(([name]) => terms.has(name)), () => {
    return `gradients has ${show([...terms.keys()])}; expected ${show(into.map(([name]) => name))}, as sums has`;
  });
  const operands: Record<string, Tensor> = {};
  const names: Record<string, string> = {};
  const pairs = into.map(([name, sum], i): AddPair => {
    const term = terms.get(name) ?? sum;
    requireLike(`gradients.${name}`, term, sum, `sums.${name}`);
    const of = storages.get(memoryOf(term.storage(core, `gradients.${name}`)));
    require(of === undefined, () =>
      `gradients.${name} shares its memory with sums.${String(of)}; expected memory of its own`);
    const pair = { ...specOf(sum, `sums.${name}`), sum: operandName(i), term: `term${String(i)}` };
    [operands[pair.sum], operands[pair.term]] = [sum, term];
    [names[pair.sum], names[pair.term]] = [`sums.${name}`, `gradients.${name}`];
    return pair;
  });
  runOperation(accumulateOperation(pairs), operands, names);
}

type Entry = readonly [name: string, tensor: Tensor];

const operandName = (i: number): string => `tensor${String(i)}`;
const operandsOf = (entries: readonly Entry[]): Record<string, Tensor> =>
  Object.fromEntries(entries.map(([, tensor], i) => [operandName(i), tensor]));
const displayNames = (entries: readonly Entry[]): Record<string, string> =>
  Object.fromEntries(entries.map(([name], i) => [operandName(i), `gradients.${name}`]));
const specOfEntry = ([name, tensor]: Entry): TensorSpec => specOf(tensor, `gradients.${name}`);

/** Gradients that change in place; of those that share memory the first: it changes once. Throws while a tape records. */
function changeable(what: string, gradients: Tensors): Entry[] {
  const entries = namedTensors("gradients", gradients);
  const [[firstName, first]] = entries;
  requireNoTape(what, first);
  const { core } = contextOf(first, `gradients.${firstName}`);
  const seen: TensorStorage[] = [];
  return entries.filter(([name, tensor]) => {
    const storage = tensor.storage(core, `gradients.${name}`);
    const { size, begin } = storage;
    const isNew = !seen.some((one) => memoryOf(one) === memoryOf(storage) && one.size === size && one.begin === begin);
    if (isNew) seen.push(storage);
    return isNew;
  });
}

const slotsOf = (specs: readonly TensorSpec[]): Slot[] =>
  specs.map(({ shape, dtype }, i) => ({ tensor: named(operandName(i)), size: product(shape), dtype }));
const operandSpecs = (specs: readonly TensorSpec[]): Record<string, TensorSpec> =>
  Object.fromEntries(specs.map((spec, i) => [operandName(i), spec]));

function normOperation(specs: readonly TensorSpec[]): TensorOperation {
  return makeOperation({
    name: "gradientNorm",
    options: {},
    operands: operandSpecs(specs),
    results: { norm: { shape: [1], dtype: "float32" } },
    resized: (to) => normOperation(specs.map((spec) => resizedSpec(spec, to))),
    solvers: [{ name: "two-level", plan: (capabilities) => vectorNorm(slotsOf(specs), named("norm"), capabilities) }],
    compute: (values) => ({ norm: Float64Array.of(normOnHost(Object.values(values))) }),
  });
}

/** In trials: less than most of their values. */
const TRIAL_LIMIT = 1.5;

function adjustOperation(specs: readonly TensorSpec[], adjustment: Adjustment): TensorOperation {
  const { kind } = adjustment;
  const norm: TensorSpec = { shape: [1], dtype: "float32" };
  return makeOperation({
    name: `${kind}Gradients`,
    options: kind === "clear" ? {} : { limit: adjustment.limit },
    operands: { ...operandSpecs(specs), ...(kind === "clip" ? { norm } : {}) },
    results: {},
    updates: specs.map((_, i) => operandName(i)),
    resized: (to) =>
      adjustOperation(
        specs.map((spec) => resizedSpec(spec, to)),
        kind === "clear" ? adjustment : { ...adjustment, limit: TRIAL_LIMIT },
      ),
    trialValues: { norm: () => 2 * TRIAL_LIMIT },
    solvers: [
      {
        name: "in-place",
        plan(capabilities) {
          return { dispatches: adjustTensors(slotsOf(specs), adjustment, capabilities), scratchBytes: {} };
        },
      },
    ],
    compute(values) {
      const of = (i: number): Numbers => values[operandName(i)];
      const limitOf = kind === "clip" ? values.norm[0] : 0;
      return Object.fromEntries(specs.map((_, i) => [operandName(i), adjustOnHost(of(i), adjustment, limitOf)]));
    },
  });
}

/** Names of a sum and of what is added to it. */
interface AddPair extends TensorSpec {
  readonly sum: string;
  readonly term: string;
}

function accumulateOperation(pairs: readonly AddPair[]): TensorOperation {
  return makeOperation({
    name: "accumulate",
    options: {},
    operands: Object.fromEntries(
      pairs.flatMap(({ sum, term, shape, dtype }) => [
        [sum, { shape, dtype }],
        [term, { shape, dtype }],
      ]),
    ),
    results: {},
    updates: pairs.map(({ sum }) => sum),
    resized: (to) => accumulateOperation(pairs.map((pair) => ({ ...pair, ...resizedSpec(pair, to) }))),
    solvers: [
      {
        name: "in-place",
        plan(capabilities) {
          const slots = pairs.map(({ sum, term, shape, dtype }): AddSlot => {
            return { tensor: named(sum), term: named(term), size: product(shape), dtype };
          });
          return { dispatches: addTensors(slots, capabilities), scratchBytes: {} };
        },
      },
    ],
    compute: (values) =>
      Object.fromEntries(
        pairs.map(({ sum, term }) => [sum, Float64Array.from(values[sum], (value, i) => value + values[term][i])]),
      ),
  });
}
