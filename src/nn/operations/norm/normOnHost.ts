/** Normalisation and its gradients on the host, in float64 and plain loops. */
import type { Numbers } from "../../../planning/tensorOperation.js";
import { type ActivationSpec, derivativeSource } from "../../../problem/activation.js";
import { activate, activationDerivative } from "../../../problem/activationFormulas.js";
import type { NormShape } from "./normShape.js";

type Operands = Readonly<Record<string, Numbers | undefined>>;

/** Calls `visit` for each element with its channel and its set. */
function forEach(shape: NormShape, visit: (element: number, channel: number, set: number) => void): void {
  const { samples, channels, positions, channelsLast, groups } = shape;
  for (let n = 0; n < samples; n++) {
    for (let c = 0; c < channels; c++) {
      const set = groups === "batch" ? c : n * groups + Math.floor((c * groups) / channels);
      for (let p = 0; p < positions; p++) {
        visit(channelsLast ? (n * positions + p) * channels + c : (n * channels + c) * positions + p, c, set);
      }
    }
  }
}

/** Mean and variance of each set: of its values alone, and as an estimate of the population's. */
export function momentsOnHost(x: Numbers, shape: NormShape, sets: number) {
  const count = new Float64Array(sets);
  const mean = new Float64Array(sets);
  const variance = new Float64Array(sets);
  forEach(shape, (element, _, set) => {
    count[set]++;
    mean[set] += x[element];
  });
  for (let set = 0; set < sets; set++) mean[set] /= count[set];
  forEach(shape, (element, _, set) => {
    variance[set] += (x[element] - mean[set]) ** 2;
  });
  const unbiased = variance.map((sum, set) => sum / (count[set] - 1));
  for (let set = 0; set < sets; set++) variance[set] /= count[set];
  return { mean, variance, unbiased };
}

/** Pairs (mean, 1 / sqrt(variance + eps)). */
export function statisticsOnHost(mean: Numbers, variance: Numbers, eps: number): Float64Array {
  const pairs = new Float64Array(2 * mean.length);
  for (let set = 0; set < mean.length; set++) {
    pairs[2 * set] = mean[set];
    pairs[2 * set + 1] = 1 / Math.sqrt(variance[set] + eps);
  }
  return pairs;
}

export function normalizeOnHost(operands: Operands, statistics: Numbers, shape: NormShape, activation: ActivationSpec) {
  const { x = [], weight, bias, residual } = operands;
  const y = new Float64Array(x.length);
  forEach(shape, (element, channel, set) => {
    const normal = (x[element] - statistics[2 * set]) * statistics[2 * set + 1];
    const z = normal * (weight?.[channel] ?? 1) + (bias?.[channel] ?? 0) + (residual?.[element] ?? 0);
    y[element] = activate(z, activation);
  });
  return y;
}

/**
 * The gradients of {@link normalizeOnHost}.
 *
 * @param members values of a set, whose statistics are those of the values; undefined where statistics do not depend on x
 */
export function normGradientsOnHost(
  operands: Operands,
  statistics: Numbers,
  shape: NormShape,
  activation: ActivationSpec,
  members: number | undefined,
) {
  const { x = [], dy = [], weight, bias, residual } = operands;
  const dx = new Float64Array(x.length);
  const dz = new Float64Array(x.length);
  const weightGradient = new Float64Array(shape.channels);
  const biasGradient = new Float64Array(shape.channels);
  const sums = new Float64Array(statistics.length);
  const normalOf = (element: number, set: number): number =>
    (x[element] - statistics[2 * set]) * statistics[2 * set + 1];
  forEach(shape, (element, channel, set) => {
    const normal = normalOf(element, set);
    const factor = weight?.[channel] ?? 1;
    const z = normal * factor + (bias?.[channel] ?? 0) + (residual?.[element] ?? 0);
    const source = derivativeSource(activation) === "output" ? activate(z, activation) : z;
    const gradient = dy[element] * activationDerivative(source, activation);
    dz[element] = gradient;
    biasGradient[channel] += gradient;
    weightGradient[channel] += gradient * normal;
    sums[2 * set] += factor * gradient;
    sums[2 * set + 1] += factor * gradient * normal;
  });
  forEach(shape, (element, channel, set) => {
    let gradient = dz[element] * (weight?.[channel] ?? 1);
    if (members !== undefined) gradient -= (sums[2 * set] + normalOf(element, set) * sums[2 * set + 1]) / members;
    dx[element] = gradient * statistics[2 * set + 1];
  });
  return { dx, weightGradient, biasGradient, residualGradient: dz };
}
