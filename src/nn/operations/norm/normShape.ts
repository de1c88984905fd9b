/** What is normalised together: sets of a tensor's values, each with a mean and a variance. */
import type { ActivationSpec } from "../../../problem/activation.js";
import { derivativeSource } from "../../../problem/activation.js";
import { product } from "../../../problem/geometry.js";
import { type Layout, splitActivation } from "../../../problem/layout.js";
import { activationConstants } from "../../../solvers/shared/constants.js";

/** A tensor as samples of channels of positions. A set's values are those of some of these. */
export interface NormShape {
  readonly samples: number;
  readonly channels: number;
  readonly positions: number;
  readonly channelsLast: boolean;
  /** Sets of a sample, each of as many neighbouring channels; "batch": a set is a channel of all samples. */
  readonly groups: number | "batch";
}

/** Of a tensor of any rank, samples first. */
export function normShape(shape: readonly number[], layout: Layout, groups: NormShape["groups"]): NormShape {
  const { batch: samples, channels, spatial } = splitActivation(shape, layout);
  return { samples, channels, positions: product(spatial), channelsLast: layout === "channels-last", groups };
}

export const elementsOf = ({ samples, channels, positions }: NormShape): number => samples * channels * positions;

export const setsOf = ({ samples, channels, groups }: NormShape): number =>
  groups === "batch" ? channels : samples * groups;

/** Values of a set. */
export const membersOf = (shape: NormShape): number =>
  shape.groups === "batch" ? shape.samples * shape.positions : (shape.channels / shape.groups) * shape.positions;

/** The shape as another division into sets sees it. */
export const inSets = (shape: NormShape, groups: NormShape["groups"]): NormShape => ({ ...shape, groups });

/** How many sets of a sample there are, and channels of each, for kernels. */
export function shapeFields({ channels, positions, groups }: NormShape): readonly number[] {
  return groups === "batch" ? [channels, positions, 1, channels] : [channels, positions, groups, channels / groups];
}

/** Constants of shaders/common/normalization.wgsl. */
export function shapeConstants({ channels, channelsLast, groups }: NormShape) {
  const sets = groups === "batch" ? 0 : groups === 1 ? 1 : groups === channels ? 2 : 3;
  return { CHANNELS_LAST: channelsLast, SETS: sets };
}

/** Which operands there are besides x. */
export interface NormParts {
  readonly weight: boolean;
  readonly bias: boolean;
  readonly residual: boolean;
}

/** Constants of what is fused, in the forward pass. */
export function fusedConstants({ weight, bias, residual }: NormParts, activation: ActivationSpec) {
  return {
    ...activationConstants({ activation }),
    HAS_WEIGHT: weight,
    HAS_BIAS: bias,
    HAS_RESIDUAL: residual,
  };
}

/** Likewise in the gradients (shaders/common/norm_terms.wgsl). */
export function termConstants(parts: NormParts, activation: ActivationSpec) {
  return { ...fusedConstants(parts, activation), FROM_OUTPUT: derivativeSource(activation) === "output" };
}

/** How many neighbouring elements a thread takes: four where they are of one channel, or of channels of one position. */
export const widthOf = ({ channels, positions, channelsLast }: NormShape): 1 | 4 =>
  (channelsLast ? channels : positions) % 4 === 0 ? 4 : 1;

/** What kernels read and write so many neighbouring elements as. */
export const valuesType = (element: "f16" | "f32", width: 1 | 4): string =>
  width === 1 ? element : element === "f16" ? "vec4h" : "vec4f";
