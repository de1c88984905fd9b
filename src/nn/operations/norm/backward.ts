/** The gradients of normalisations as an operation. */
import type { Capabilities } from "../../../planning/capabilities.js";
import type { BindingSource, Dispatch, Steps } from "../../../planning/solver.js";
import { named, type TensorOperation } from "../../../planning/tensorOperation.js";
import { NO_ACTIVATION } from "../../../problem/activation.js";
import { makeOperation, positive } from "../../core/operation.js";
import { type CombinedSums, combineNormSums } from "./combineNormSums.js";
import type { GradientTerms } from "./gradientTerms.js";
import { type Norm, type NormGradients, operandsOf, parameterSpec, resizedNorm, statisticsSpec } from "./norm.js";
import { normalizeGradient } from "./normalizeGradient.js";
import { normalizeSetsGradient } from "./normalizeSetsGradient.js";
import { normGradientsOnHost, statisticsOnHost } from "./normOnHost.js";
import { normGradientSums, SUM_BLOCK } from "./normGradientSums.js";
import { inSets, membersOf, type NormShape, setsOf } from "./normShape.js";
import { runningStatistics } from "./runningStatistics.js";
import { walkSets } from "./setWalk.js";

export function normGradientOperation(norm: Norm, wanted: NormGradients): TensorOperation {
  const { name, shape, x, activation, eps, statistics } = norm;
  const evaluates = statistics === "running";
  const parameter = parameterSpec(norm);
  const all = { dx: x, weightGradient: parameter, biasGradient: parameter, residualGradient: x };
  const { runningMean, runningVar, ...read } = operandsOf(norm);
  return makeOperation({
    name: `${name}Gradient`,
    options: { shape, activation, eps, wanted },
    operands: {
      ...read,
      dy: x,
      ...(evaluates ? { runningMean, runningVar } : { statistics: statisticsSpec(norm) }),
    },
    results: Object.fromEntries(Object.entries(all).filter(([result]) => wanted[result as keyof NormGradients])),
    // A tiny eps would leave which side of an activation's jump a value is on to rounding.
    resized: (to) => normGradientOperation({ ...resizedNorm(norm, to), eps: Math.max(eps, TRIAL_EPS) }, wanted),
    trialValues: { runningVar: positive },
    solvers: [
      ...(evaluates
        ? []
        : [{ name: "one-read", plan: (device: Capabilities) => normalizeSetsGradient(norm, wanted, device) }]),
      { name: "sums", plan: (device: Capabilities) => new GradientPlan(norm, wanted, device).plan() },
    ],
    compute(values) {
      const pairs = evaluates ? statisticsOnHost(values.runningMean, values.runningVar, eps) : values.statistics;
      return normGradientsOnHost(values, pairs, shape, activation, evaluates ? undefined : membersOf(shape));
    },
  });
}

const TRIAL_EPS = 2 ** -10;

/** Positions of a sample from which sums are made of each of its channels, and added up for sets and for parameters. */
const LEAST_CELL = 16;

class GradientPlan {
  readonly #norm: Norm;
  readonly #wanted: NormGradients;
  readonly #capabilities: Capabilities;
  readonly #dispatches: Dispatch[] = [];
  #partialBytes = 0;
  /** As dispatches so far have left it: dy before the activation, once it is written. */
  #terms: GradientTerms;

  constructor(norm: Norm, wanted: NormGradients, capabilities: Capabilities) {
    const { shape, x, parts, activation, statistics } = norm;
    this.#norm = norm;
    this.#wanted = wanted;
    this.#capabilities = capabilities;
    this.#terms = {
      shape,
      dtype: x.dtype,
      parts,
      activation,
      outputGradient: named("dy"),
      statistics: statistics === "running" ? "statistics" : named("statistics"),
    };
  }

  plan(): Steps {
    const { shape, statistics, eps } = this.#norm;
    const evaluates = statistics === "running";
    if (evaluates) this.#dispatches.push(runningStatistics(shape.channels, eps, "statistics", this.#capabilities));
    const needsSums = this.#wanted.dx && !evaluates;
    this.#sum(needsSums);
    if (this.#wanted.dx)
      this.#dispatches.push(normalizeGradient(this.#terms, needsSums ? "sums" : undefined, this.#capabilities));
    return {
      dispatches: this.#dispatches,
      scratchBytes: {
        ...(evaluates ? { statistics: 8 * shape.channels } : {}),
        ...(this.#partialBytes > 0 ? { partials: this.#partialBytes } : {}),
        ...(needsSums ? { sums: 8 * setsOf(shape) } : {}),
      },
    };
  }

  /** Sums for dx, and the gradients of weight and bias. */
  #sum(needsSums: boolean): void {
    const { shape } = this.#norm;
    const { samples, channels, positions, groups } = shape;
    const { weightGradient, biasGradient, residualGradient } = this.#wanted;
    const needsParameters = weightGradient || biasGradient;
    if (!(needsSums || needsParameters || residualGradient)) return;
    if (groups === "batch") {
      const add = this.#cells(shape, { fixedChannel: true, fixedSet: true, weighted: false });
      if (needsSums || needsParameters) {
        add({ results: channels, resultStep: 1, terms: 1, termStep: 0, weighted: true }, needsSums, needsParameters);
      }
      return;
    }
    const ofSets = { results: setsOf(shape), weighted: true };
    const ofChannels = { results: channels, resultStep: 1, weighted: false };
    if (positions >= LEAST_CELL) {
      const add = this.#cells(inSets(shape, channels), { fixedChannel: true, fixedSet: true, weighted: false });
      const each = channels / groups;
      if (needsSums) add({ ...ofSets, resultStep: each, terms: each, termStep: 1 }, true, false);
      if (needsParameters) add({ ...ofChannels, terms: samples, termStep: channels }, false, true);
      return;
    }
    if (needsSums || !needsParameters) {
      const add = this.#cells(shape, { fixedChannel: false, fixedSet: true, weighted: true });
      if (needsSums) add({ ...ofSets, weighted: false, resultStep: 1, terms: 1, termStep: 0 }, true, false);
    }
    if (needsParameters) {
      const add = this.#cells(inSets(shape, "batch"), { fixedChannel: true, fixedSet: false, weighted: false });
      add({ ...ofChannels, terms: 1, termStep: 0 }, false, true);
    }
  }

  /** A pass over the tensor that makes sums of cells. Returns what adds these up. */
  #cells(
    cells: NormShape,
    kind: { readonly fixedChannel: boolean; readonly fixedSet: boolean; readonly weighted: boolean },
  ) {
    const capabilities = this.#capabilities;
    const walk = walkSets(cells, SUM_BLOCK, capabilities);
    const written = named("residualGradient");
    const writes = this.#wanted.residualGradient && this.#terms.outputGradient !== written;
    const residualGradient = writes ? written : undefined;
    this.#dispatches.push(normGradientSums(this.#terms, { walk, ...kind, residualGradient }, "partials", capabilities));
    this.#partialBytes = Math.max(this.#partialBytes, walk.partialBytes);
    if (writes) this.#terms = { ...this.#terms, outputGradient: written, activation: NO_ACTIVATION };
    const { weight: hasWeight } = this.#norm.parts;
    const { channels } = this.#norm.shape;
    const { weightGradient, biasGradient } = this.#wanted;
    const result = (isWanted: boolean, name: string): BindingSource | undefined => (isWanted ? named(name) : undefined);
    return (combined: Omit<CombinedSums, "channels">, ofSets: boolean, ofParameters: boolean): void => {
      this.#dispatches.push(
        combineNormSums(
          walk,
          {
            ...combined,
            channels,
            weighted: combined.weighted && hasWeight,
            ...(ofSets ? { sums: "sums" } : {}),
            weightGradient: result(ofParameters && weightGradient, "weightGradient"),
            biasGradient: result(ofParameters && biasGradient, "biasGradient"),
          },
          "partials",
          capabilities,
        ),
      );
    };
  }
}
