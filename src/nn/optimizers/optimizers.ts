/** The optimizers by name. */
import type { Engine } from "../../api/engine.js";
import type { Tensors } from "../tape/tape.js";
import { Optimizer } from "./optimizer.js";
import { type AdamOptions, readAdam, readSgd, type SgdOptions } from "./options.js";

/**
 * Stochastic gradient descent, as `torch.optim.SGD`: with g the gradient plus `weightDecay` times the parameter p,
 * `b = momentum b + (1 - dampening) g` (in the first step `b = g`), `p -= lr b`; with `nesterov` `p -= lr (g + momentum b)`;
 * without momentum `p -= lr g`.
 *
 * @param parameters float32 or float16, in a list or by name; each has memory of its own. Float16 ones have a copy in float32, which
 *   small updates reach.
 * @returns an optimizer, to be disposed of: it keeps b of each parameter
 * @throws ArgumentError for options or parameters that break a rule.
 */
export function sgd(engine: Engine, parameters: Tensors, options: SgdOptions): Optimizer {
  return new Optimizer(engine, parameters, readSgd(options));
}

/**
 * Adam (Kingma and Ba, 2015), as `torch.optim.Adam`: with g the gradient plus `weightDecay` times the parameter p, of step t,
 * `m = beta1 m + (1 - beta1) g`, `v = beta2 v + (1 - beta2) g^2`,
 * `p -= lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)`; with `amsgrad` (Reddi et al., 2018) the largest v so far.
 *
 * @param parameters as {@link sgd} takes them
 * @returns an optimizer, to be disposed of: it keeps m and v of each parameter
 * @throws ArgumentError for options or parameters that break a rule.
 */
export function adam(engine: Engine, parameters: Tensors, options: AdamOptions = {}): Optimizer {
  return new Optimizer(engine, parameters, readAdam(options, "adam"));
}

/**
 * {@link adam} with weight decay apart from the gradient (Loshchilov and Hutter, 2019), as `torch.optim.AdamW`:
 * `p -= lr weightDecay p` comes first, and g is the gradient alone.
 */
export function adamw(engine: Engine, parameters: Tensors, options: AdamOptions = {}): Optimizer {
  return new Optimizer(engine, parameters, readAdam(options, "adamw"));
}
