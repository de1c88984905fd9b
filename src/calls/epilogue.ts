/** The epilogue of a forward pass: bias, residual and activation, applied to the sums before they are stored. */
import { readActivation } from "../problem/activation.js";
import type { ConvOperation } from "../problem/operation.js";
import { requireSameShape } from "../problem/shapes.js";
import { requireTensor } from "../tensor/tensor.js";
import { readSlopes, type RoleTensors, SLOPES } from "./calls.js";
import type { ForwardOptions } from "./options.js";

/** What callers call the operands of a forward pass. */
export const FORWARD_NAMES = { x: "x", w: "w", bias: "bias", residual: "residual", slopes: SLOPES } as const;

export interface Epilogue {
  readonly operands: RoleTensors;
  readonly fused: Pick<ConvOperation, "bias" | "residual" | "activation">;
}

/** Reads `activation(pass + bias + residual)`. The pass is a forward pass or, of a transposed layer, an input gradient. */
export function readEpilogue(resultShape: readonly number[], channels: number, options: ForwardOptions): Epilogue {
  const { bias, residual } = options;
  const operands: RoleTensors = {};
  if (bias !== undefined) {
    requireTensor("bias", bias);
    requireSameShape("bias", bias.shape, [channels], "one value an output channel");
    operands.bias = bias;
  }
  if (residual !== undefined) {
    requireTensor("residual", residual);
    requireSameShape("residual", residual.shape, resultShape, "the result's shape");
    operands.residual = residual;
  }
  const activation = readActivation(options.activation);
  const slopes = readSlopes(options.activation, channels);
  if (slopes) operands.slopes = slopes;
  return { operands, fused: { bias: bias !== undefined, residual: residual !== undefined, activation } };
}
