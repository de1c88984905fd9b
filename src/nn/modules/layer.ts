/** What the layers with parameters have in common: where these live, and their first values. */
import type { Engine } from "../../api/engine.js";
import { require, show } from "../../base/errors.js";
import type { DType } from "../../problem/dtype.js";
import type { Tensor } from "../../tensor/tensor.js";
import { coreOf } from "../core/operation.js";
import { Random } from "../random.js";

/** Where a network's parameters are made. */
export interface Init {
  readonly engine: Engine;
  /** Draws their first values: the same seed gives the same numbers everywhere. */
  readonly random: Random;
  /** "float32" when absent. */
  readonly dtype?: DType;
}

/** Makes a tensor of parameters from values. A copy stays on the host: an engine that recovers has them again. */
export function parameter({ engine, dtype = "float32" }: Init, values: Float32Array, shape: readonly number[]): Tensor {
  return engine.tensor(values, shape, { dtype, keep: true });
}

export function requireInit(init: Init): void {
  require(typeof (init as unknown) === "object" && (init as unknown) !== null, () => {
    return `init is ${show(init)}; expected { engine, random }`;
  });
  coreOf(init.engine);
  require(init.random instanceof Random, () => `init.random is ${show(init.random)}; expected new Random(seed)`);
}
