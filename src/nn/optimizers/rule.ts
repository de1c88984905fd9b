/** What an optimizer does in a step, as plain data, and the same on the host in float64. */
import type { Numbers } from "../../planning/tensorOperation.js";

export interface Rule {
  readonly name: "sgd" | "adam" | "adamw";
  /** What is kept of each parameter, by PyTorch's names in camelCase. */
  readonly sections: readonly string[];
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly amsgrad: boolean;
}

/** How the gradients' norm changes a step. */
export interface NormRule {
  readonly clipNorm: number | undefined;
  readonly skipNonFinite: boolean;
}

/** Fields of an optimizer's progress, as shaders/common/progress.wgsl has them. */
export const PROGRESS = ["steps", "skipped", "norm", "scale", "rate", "stepSize", "root", "isLeftOut"] as const;
export type Progress = Record<(typeof PROGRESS)[number], number>;

/** The progress after a step has begun. */
export function beginOnHost(
  before: Progress,
  [rate, gradientScale]: Numbers,
  norm: number,
  { betas, ...rule }: Rule & NormRule,
): Progress {
  const scaledNorm = Math.abs(gradientScale) * norm;
  const clipping = rule.clipNorm === undefined ? 1 : Math.min(1, rule.clipNorm / (scaledNorm + 1e-6));
  const isLeftOut = rule.skipNonFinite && !Number.isFinite(scaledNorm) ? 1 : 0;
  const steps = before.steps + 1 - isLeftOut;
  return {
    steps,
    skipped: before.skipped + isLeftOut,
    norm: scaledNorm,
    scale: gradientScale * clipping,
    rate,
    stepSize: rate / (1 - betas[0] ** steps),
    root: Math.sqrt(1 - betas[1] ** steps),
    isLeftOut,
  };
}

/** Changes a parameter and its state in place. `sections` has what is kept of the parameter. */
export function updateOnHost(
  rule: Rule,
  { steps, scale, rate, stepSize, root }: Progress,
  parameter: Float64Array,
  gradient: Numbers,
  sections: readonly Float64Array[],
  decay: number,
): void {
  for (let i = 0; i < parameter.length; i++) {
    const p = parameter[i];
    let g = scale * gradient[i];
    if (rule.name !== "adamw" && decay !== 0) g += decay * p;
    if (rule.name === "sgd") {
      if (rule.momentum !== 0) {
        const [buffers] = sections;
        buffers[i] = steps > 1 ? rule.momentum * buffers[i] + (1 - rule.dampening) * g : g;
        g = rule.nesterov ? g + rule.momentum * buffers[i] : buffers[i];
      }
      parameter[i] = p - rate * g;
      continue;
    }
    const [means, squares, largest] = sections;
    means[i] = rule.betas[0] * means[i] + (1 - rule.betas[0]) * g;
    squares[i] = rule.betas[1] * squares[i] + (1 - rule.betas[1]) * g * g;
    let square = squares[i];
    if (rule.amsgrad) square = largest[i] = Math.max(largest[i], square);
    const decayed = rule.name === "adamw" && decay !== 0 ? p - rate * decay * p : p;
    parameter[i] = decayed - (stepSize * means[i]) / (Math.sqrt(square) / root + rule.eps);
  }
}
