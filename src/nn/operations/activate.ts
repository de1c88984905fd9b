/** Activations by themselves. */
import { activate as activateCall } from "../../calls/activations.js";
import type { ActivateOptions, Activation } from "../../calls/options.js";
import type { Tensor } from "../../tensor/tensor.js";
import { contextOf } from "../core/operation.js";

/**
 * An activation element by element: a name as a convolution's `activation`, or `{ name }` with parameters.
 *
 * @param options `layout`: where the channels of a prelu with a slope for each are; "channels-first" when absent
 */
export function activate(x: Tensor, activation: Activation, options: ActivateOptions = {}): Tensor {
  const context = contextOf(x, "x");
  return activateCall((call, shapes) => context.run(call, shapes), x, activation, options);
}
