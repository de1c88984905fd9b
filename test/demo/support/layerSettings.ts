/** Every setting of the layer's sliders, and what the engine makes of it. */
import type { ConvProblem } from "webgpu-conv/reference";
import { makeProblem } from "webgpu-conv/reference";
import type { FitSettings } from "../../../examples/demo/parts/layer/fit.js";
import { LIMITS, MODES } from "../../../examples/demo/parts/layer/limits.js";

const range = ([least, most]: readonly [number, number]): number[] =>
  Array.from({ length: most - least + 1 }, (_, i) => least + i);

export function* everySetting(): Generator<FitSettings> {
  for (const W of range(LIMITS.W))
    for (const F of range(LIMITS.F))
      for (const S of range(LIMITS.S))
        for (const P of range(LIMITS.P))
          for (const D of range(LIMITS.D)) for (const mode of MODES) yield { W, F, S, P, D, mode };
}

/** One axis of the layer, as the engine takes it; undefined where it throws. */
export function problemOf({ W, F, S, P, D, mode }: FitSettings): ConvProblem | undefined {
  try {
    return makeProblem(1, [1, 1, W], [1, 1, F], { stride: S, padding: P, dilation: D, paddingMode: mode });
  } catch {
    return undefined;
  }
}

/** Those that the engine takes, with their problem. */
export function* everyLayer(): Generator<{ readonly settings: FitSettings; readonly problem: ConvProblem }> {
  for (const settings of everySetting()) {
    const problem = problemOf(settings);
    if (problem) yield { settings, problem };
  }
}
