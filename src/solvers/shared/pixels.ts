/** What kernels that read an image's pixels are given (shaders/common/pixels.wgsl). */
import { BYTES_PER_PIXEL } from "../../problem/pixels.js";
import type { TensorStrides } from "../../problem/layout.js";
import type { ConvOperation } from "../../problem/operation.js";
import type { ConvProblem } from "../../problem/problem.js";
import { operandTypes } from "./constants.js";

/** In the order of the constants in the shader, after 0 for "no image". */
const PIXEL_ORDERS = ["rgba", "bgra"];
const NO_NORMALISATION = [0, 0, 0, 0];

/** Strides of an image in bytes: batch, channel, position. */
export function imageStrides({ inputPositions }: ConvProblem): TensorStrides {
  return [BYTES_PER_PIXEL * inputPositions, 1, BYTES_PER_PIXEL];
}

export function pixelConstants({ pixels }: Pick<ConvOperation, "pixels">) {
  return { PIXELS: pixels ? 1 + PIXEL_ORDERS.indexOf(pixels.order) : 0 };
}

export function pixelUniforms({ pixels }: Pick<ConvOperation, "pixels">) {
  return { pixelScale: pixels?.scale ?? NO_NORMALISATION, pixelShift: pixels?.shift ?? NO_NORMALISATION };
}

/** What the source of a gather is stored as. */
export function sourceTypes(operation: ConvOperation) {
  return { Source: operation.pixels ? "u32" : operandTypes(operation).Element };
}
