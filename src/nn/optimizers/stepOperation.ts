/** A step of an optimizer as one operation: all parameters and their state change in place. */
import { fromHalfBits, toHalfBits } from "../../base/half.js";
import { named, type Numbers, type TensorOperation, type TensorSpec } from "../../planning/tensorOperation.js";
import { makeOperation, positive } from "../core/operation.js";
import { type Bank, MASTER, resizedBanks } from "./banks.js";
import { beginUpdate } from "./beginUpdate.js";
import { beginOnHost, type NormRule, PROGRESS, type Progress, type Rule, updateOnHost } from "./rule.js";
import type { Slot } from "./slots.js";
import { updateParameters } from "./updateParameters.js";
import { normOnHost, vectorNorm } from "./vectorNorm.js";

export const parameterName = (index: number): string => `parameter${String(index)}`;
export const gradientName = (index: number): string => `gradient${String(index)}`;
export const stateName = (bank: number): string => `state${String(bank)}`;

/** The learning rate and what gradients are multiplied by. */
export const RATES: TensorSpec = { shape: [2], dtype: "float32" };
export const PROGRESS_SPEC: TensorSpec = { shape: [PROGRESS.length], dtype: "float32" };
/** In trials: gradients that are clipped to this norm still count beside the state. */
const TRIAL_NORM = 32;

const forTrials = (rule: Rule & NormRule): Rule & NormRule => ({
  ...rule,
  clipNorm: rule.clipNorm === undefined ? undefined : TRIAL_NORM,
});

/** Where the norm of the gradients is on the device. */
const NORM = "statistics";

export function stepOperation(rule: Rule & NormRule, banks: readonly Bank[]): TensorOperation {
  const all = banks.flatMap(({ parameters }) => parameters);
  const isNormed = rule.clipNorm !== undefined || rule.skipNonFinite;
  const parameters = all.map(({ index, shape, dtype }) => [parameterName(index), { shape, dtype }] as const);
  const gradients = all.map(({ index, shape, dtype }) => [gradientName(index), { shape, dtype }] as const);
  const states = banks.flatMap(({ size }, i): [string, TensorSpec][] =>
    size > 0 ? [[stateName(i), { shape: [size], dtype: "float32" }]] : [],
  );
  const updates = [...parameters, ...states].map(([name]) => name);
  return makeOperation({
    name: rule.name,
    options: { rule, decays: all.map(({ decay }) => decay), banks: banks.map((bank) => bank.parameters.length) },
    operands: Object.fromEntries([
      ["rates", RATES],
      ["progress", PROGRESS_SPEC],
      ...states,
      ...parameters,
      ...gradients,
    ]),
    results: {},
    updates: ["progress", ...updates],
    resized: (to) => stepOperation(forTrials(rule), resizedBanks(banks, to)),
    trialValues: Object.fromEntries(
      ["rates", "progress", ...states.map(([name]) => name)].map((name) => [name, positive]),
    ),
    solvers: [
      {
        name: "in-place",
        plan(capabilities) {
          const slots = all.map(({ index, size, dtype }): Slot => ({
            tensor: named(gradientName(index)),
            size,
            dtype,
          }));
          const normed = isNormed ? vectorNorm(slots, NORM, capabilities) : { dispatches: [], scratchBytes: {} };
          const changes = banks.flatMap((bank, i) => {
            const state = bank.size > 0 ? named(stateName(i)) : undefined;
            const changed = bank.parameters.map(({ index, size, dtype, place, decay }) => {
              return {
                tensor: named(parameterName(index)),
                gradient: named(gradientName(index)),
                size,
                dtype,
                place,
                decay,
              };
            });
            return updateParameters(changed, state, bank.sections.includes(MASTER), rule, capabilities);
          });
          return {
            dispatches: [...normed.dispatches, beginUpdate(rule, isNormed ? NORM : undefined), ...changes],
            scratchBytes: { ...normed.scratchBytes, ...(isNormed ? { [NORM]: 4 } : {}) },
          };
        },
      },
    ],
    compute: (values) => computeStep(rule, banks, values),
  });
}

function computeStep(
  rule: Rule & NormRule,
  banks: readonly Bank[],
  values: Readonly<Record<string, Numbers>>,
): Record<string, Numbers> {
  const all = banks.flatMap(({ parameters }) => parameters);
  const isNormed = rule.clipNorm !== undefined || rule.skipNonFinite;
  const norm = isNormed ? normOnHost(all.map(({ index }) => values[gradientName(index)])) : 0;
  const before = Object.fromEntries(PROGRESS.map((field, i) => [field, values.progress[i]])) as Progress;
  const progress = beginOnHost(before, values.rates, norm, rule);
  const results: Record<string, Numbers> = { progress: Float64Array.from(PROGRESS, (field) => progress[field]) };
  for (const [i, { parameters, sections, size: stateSize }] of banks.entries()) {
    const state = Float64Array.from(stateSize > 0 ? values[stateName(i)] : []);
    if (stateSize > 0) results[stateName(i)] = state;
    for (const { index, size, place, decay } of parameters) {
      const own = sections.map((_, section) => state.subarray(place + section * size, place + (section + 1) * size));
      const parameter = Float64Array.from(values[parameterName(index)]);
      results[parameterName(index)] = parameter;
      if (progress.isLeftOut) continue;
      const master = sections.includes(MASTER) ? own[sections.length - 1] : undefined;
      master?.forEach((copy, at) => {
        if (Object.is(fromHalfBits(toHalfBits(copy)), parameter[at])) parameter[at] = copy;
      });
      updateOnHost(rule, progress, parameter, values[gradientName(index)], own, decay);
      // The parameter is rounded from the copy as it is kept, in float32: the next step compares them.
      if (master) parameter.set(Float32Array.from(parameter));
      master?.set(parameter);
    }
  }
  return results;
}
