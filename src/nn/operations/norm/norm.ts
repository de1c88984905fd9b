/** A normalisation as plans see it: its tensors, and which of its gradients are wanted. */
import type { Resize, TensorSpec } from "../../../planning/tensorOperation.js";
import type { ActivationSpec } from "../../../problem/activation.js";
import { type NormParts, type NormShape, setsOf } from "./normShape.js";

/** A normalisation of a tensor. */
export interface Norm {
  readonly name: string;
  readonly shape: NormShape;
  readonly x: TensorSpec;
  readonly parts: NormParts;
  /** Of weight and bias: as many values as there are channels. */
  readonly parameterShape: readonly number[];
  readonly activation: ActivationSpec;
  readonly eps: number;
  /** "running": by running statistics; "updated": by those of the values, which update running ones; else by those of the values. */
  readonly statistics: "own" | "updated" | "running";
  readonly momentum: number;
}

/** The same with other extents, for trials. */
export function resizedNorm(norm: Norm, to: Resize): Norm {
  const { samples, channels, positions, groups } = norm.shape;
  const [sets, each] = groups === "batch" ? [to(channels), 1] : [to(groups), to(channels / groups)];
  const shape = {
    ...norm.shape,
    samples: to(samples),
    channels: sets * each,
    positions: to(positions),
    groups: groups === "batch" ? groups : sets,
  };
  const x = { ...norm.x, shape: [shape.samples, shape.channels, shape.positions] };
  return { ...norm, shape, x, parameterShape: [shape.channels] };
}

/** Weight, bias, running mean and running variance. */
export const parameterSpec = ({ parameterShape: shape }: Norm): TensorSpec => ({ shape, dtype: "float32" });

/** Pairs of numbers a set. */
export const statisticsSpec = ({ shape }: Norm): TensorSpec => ({ shape: [setsOf(shape), 2], dtype: "float32" });

/** What both passes read: x, and what there is of weight, bias, residual and running statistics. */
export function operandsOf(norm: Norm): Record<string, TensorSpec> {
  const { x, parts, statistics } = norm;
  const parameter = parameterSpec(norm);
  return {
    x,
    ...(parts.weight ? { weight: parameter } : {}),
    ...(parts.bias ? { bias: parameter } : {}),
    ...(parts.residual ? { residual: x } : {}),
    ...(statistics === "own" ? {} : { runningMean: parameter, runningVar: parameter }),
  };
}

/** Which gradients are made: results by these names, in this order. */
export interface NormGradients {
  readonly dx: boolean;
  readonly weightGradient: boolean;
  readonly biasGradient: boolean;
  /** dy before the activation. */
  readonly residualGradient: boolean;
}
