/** Linear layers. */
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { requireInteger } from "../../problem/geometry.js";
import { biasUniform, heUniform } from "../initialisers.js";
import { linear as product } from "../operations/linear.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { PlainActivation, Tail } from "./fusion.js";
import { type Init, parameter, requireInit } from "./layer.js";
import { makeModule, type Module } from "./module.js";

export interface LinearLayerOptions {
  /** Whether there is a bias. True when absent. */
  readonly bias?: boolean;
  /** Applied to the result, in the same pass. None when absent. */
  readonly activation?: PlainActivation;
}
const OPTIONS = optionKeys<LinearLayerOptions>({ bias: 1, activation: 1 }, { boolean: "bias", string: "activation" });

/**
 * A linear layer, x `[..., in]`: `weight` is `[out, in]`, `bias` `[out]`. First values are PyTorch's: uniform within
 * 1 / sqrt(in).
 */
export function linear(init: Init, inputs: number, outputs: number, options: LinearLayerOptions = {}): Module {
  requireOptions(options, OPTIONS);
  requireInit(init);
  requireInteger("inputs", inputs, 1);
  requireInteger("outputs", outputs, 1);
  const shape = [outputs, inputs];
  const weight = parameter(init, heUniform(shape, init.random, { negativeSlope: Math.sqrt(5) }), shape);
  const bias =
    options.bias === false ? undefined : parameter(init, biasUniform(outputs, shape, init.random), [outputs]);
  const { activation } = options;
  const call = { ...(bias && { bias }), ...(activation !== undefined && { activation }) };
  const run = (x: Tensor, tail: Tail = {}): Tensor => product(x, weight, { ...call, ...tail });
  return makeModule(
    {
      kind: `linear${activation === undefined ? "" : `, ${typeof activation === "string" ? activation : activation.name}`}`,
      parameters: bias ? { weight, bias } : { weight },
      forward: (x) => run(x),
    },
    { run: activation === undefined ? run : undefined },
  );
}
