/** Pooling over all positions. */
import { require } from "../../../base/errors.js";
import { type OptionKeys, optionKeys, requireOptions } from "../../../base/optionKeys.js";
import type { TensorSpec } from "../../../planning/tensorOperation.js";
import type { Layout } from "../../../problem/layout.js";
import type { Rank } from "../../../problem/problem.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { runOne, runOperation, showShape, specOf } from "../../core/operation.js";
import { readVolumes, type Volumes } from "../../core/volumes.js";
import { recordStep, tapeOf } from "../../tape/step.js";
import { positionMaximaOperation } from "./positionMaxima.js";
import { positionMeansOperation } from "./positionSums.js";
import { positionsOf } from "./reduction.js";
import { spreadAt, spreadEvenly } from "./spreadPositions.js";

export interface GlobalPoolOptions {
  /** Dimension order of the tensor; "channels-first" when absent. */
  readonly layout?: Layout;
}

const GLOBAL_POOL_KEYS: OptionKeys = optionKeys<GlobalPoolOptions>({ layout: 1 }, { string: "layout" });

/** Places of maxima are float32. */
const MOST_POSITIONS = 2 ** 24;

/**
 * The mean of each channel over all positions: `y[n, c] = (sum over p of x[n, c, p]) / positions`.
 *
 * @param x `[N, C, H, W]`, `[N, C, W]` or `[N, C, D, H, W]`, or as `layout` says
 * @returns `[N, C, 1, 1]`, or likewise; `flatten` makes it `[N, C]` without copying
 * @throws ArgumentError for other shapes.
 */
export function globalAveragePool(x: Tensor, options: GlobalPoolOptions = {}): Tensor {
  const [volumes, spec] = readGlobal(x, options);
  const y = runOne(positionMeansOperation(volumes, spec), { x });
  recordStep({
    name: "globalAveragePool",
    inputs: [x],
    outputs: [y],
    saved: [],
    backward: ([dy]) => [dy && spreadEvenly(volumes, spec, dy)],
  });
  return y;
}

/**
 * The largest value of each channel over all positions, NaN where there is one. Its gradient goes to the first of equal values.
 *
 * @param x as {@link globalAveragePool} takes it; on a tape at most 2^24 positions
 * @returns likewise
 * @throws ArgumentError for other shapes.
 */
export function globalMaxPool(x: Tensor, options: GlobalPoolOptions = {}): Tensor {
  const [volumes, spec] = readGlobal(x, options);
  const saves = tapeOf(x) !== undefined;
  require(!saves || positionsOf(volumes) <= MOST_POSITIONS, () => {
    return `x of shape ${showShape(x.shape)} has ${String(positionsOf(volumes))} positions; expected at most 2^24 on a tape, which float32 can number: pool in parts`;
  });
  const [y, places] = runOperation(positionMaximaOperation(volumes, spec, saves), { x });
  if (saves) {
    recordStep({
      name: "globalMaxPool",
      inputs: [x],
      outputs: [y],
      saved: [places],
      backward: ([dy]) => [dy && spreadAt(volumes, spec, dy, places)],
    });
  }
  return y;
}

function readGlobal(x: Tensor, options: GlobalPoolOptions): [Volumes, TensorSpec] {
  requireOptions(options, GLOBAL_POOL_KEYS);
  const spec = specOf(x, "x");
  const rank = spec.shape.length - 2;
  require(rank >= 1 && rank <= 3, () => {
    return `x has shape ${showShape(spec.shape)}; expected batch, channels and one to three spatial dimensions`;
  });
  return [readVolumes("x", spec.shape, rank as Rank, options.layout), spec];
}
