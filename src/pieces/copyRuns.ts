/** Copies by a kernel (shaders/passes/copy_runs.wgsl), in windows of both tensors that the device can bind. */
import kernel from "../../shaders/passes/copy_runs.wgsl";
import type { Capabilities } from "../planning/capabilities.js";
import { cutGrid } from "../planning/parts.js";
import { dispatch, foldWorkgroups, type SolverPlan } from "../planning/solver.js";
import { type Loop, placesOf, type Walk } from "./regions.js";

const THREADS = 64;

/** What one dispatch copies: `runs` of `length` elements. Starts and strides are of the source and of the result. */
export interface CopyStep {
  readonly runs: number;
  readonly length: number;
  readonly start: readonly [number, number];
  readonly stride: readonly [number, number];
}

/** @param most bytes of a window of each tensor */
export function copySteps({ loops, length, from, to, elementBytes }: Walk, most: number): CopyStep[] {
  const alone: Loop = { count: 1, from: 0, to: 0 };
  const inner = loops.at(-1) ?? alone;
  const longest = Math.max(2, Math.floor(most / elementBytes));
  const stride = Math.max(inner.from, inner.to, 1);
  const atOnce = Math.max(1, Math.floor((longest - length) / stride) + 1);
  const steps: CopyStep[] = [];
  for (const [source, target] of placesOf({ from, to, loops: loops.slice(0, -1) })) {
    for (let run = 0; run < inner.count; run += atOnce) {
      const runs = Math.min(atOnce, inner.count - run);
      // A run that is longer than a window is of one run alone. Its parts share no word of float16.
      for (let at = 0; at < length;) {
        const first = target + run * inner.to + at;
        const end = Math.min(length, at + longest - ((first + longest) % 2));
        const start = [source + run * inner.from + at, first] as const;
        steps.push({ runs, length: end - at, start, stride: [inner.from, inner.to] });
        at = end;
      }
    }
  }
  return steps;
}

/** Copies what is bound as x to what is bound as y. */
export function planCopy(
  { runs, length, start, stride }: CopyStep,
  isHalf: boolean,
  capabilities: Capabilities,
): SolverPlan {
  // Runs that follow one another in the result are one: words that two of them share belong to one thread.
  const isOne = runs > 1 && stride[1] === length;
  const [count, extent] = isOne ? [1, runs * length] : [runs, length];
  const wordsPerRun = isHalf ? Math.floor(extent / 2) + 1 : extent;
  const step = dispatch(kernel, {
    constants: { HALF: isHalf },
    types: {},
    uniforms: { runs: count, length: extent, wordsPerRun, part: length, partStride: stride[0], start, stride },
    bindings: { source: "x", result: "y" },
    workgroups: foldWorkgroups(Math.ceil((count * wordsPerRun) / THREADS), capabilities),
  });
  const dispatches = cutGrid(step, Infinity, capabilities.limits.maxComputeWorkgroupsPerDimension);
  return { solver: "copy", config: {}, dispatches, scratchBytes: {} };
}

/** Bytes from the first element of a step to the last one's end, in the source or in the result. */
export const spanOf = ({ runs, length, stride }: CopyStep, of: 0 | 1, elementBytes: number): number =>
  ((runs - 1) * stride[of] + length) * elementBytes;
