/** What a device can hold. A call throws these refusals; an explanation contains them. */
import type { CoreBackend } from "./backend.js";
import { BYTES_PER_ELEMENT, type DType } from "../problem/dtype.js";
import { show } from "../base/errors.js";
import { product } from "../problem/geometry.js";
import type { Capabilities } from "../planning/capabilities.js";
import { type ConvOperation, operandRoles, resultRoles, shapeOfRole } from "../problem/operation.js";
import { BYTES_PER_PIXEL } from "../problem/pixels.js";

/** What limits tensors. */
type Device = Pick<CoreBackend, "adapter" | "capabilities">;

/** Why a tensor is larger than the device can hold; undefined when it is not. */
export function tensorRefusal(
  name: string,
  shape: readonly number[],
  bytesPerElement: number,
  { adapter: { maxTensorBytes, description }, capabilities }: Device,
): string | undefined {
  const bytes = bytesPerElement * product(shape);
  if (bytes <= maxTensorBytes) return undefined;
  const most = `a tensor on ${description} holds at most ${maxTensorBytes.toLocaleString("en")} bytes`;
  const named = capabilities ? ` (${limitOf(maxTensorBytes, capabilities)})` : "";
  return `${name} of shape ${show([...shape])} needs ${bytes.toLocaleString("en")} bytes; ${most}${named}`;
}

/** The WebGPU limit that makes so many bytes the most. */
const limitOf = (bytes: number, { limits }: Capabilities): string =>
  limits.maxStorageBufferBindingSize === bytes ? "maxStorageBufferBindingSize" : "maxBufferSize";

/** Why a result of an operation is too large; undefined when none is. */
export function resultRefusal(operation: ConvOperation, device: Device): string | undefined {
  for (const role of resultRoles(operation)) {
    const refusal = tensorRefusal("the result", shapeOfRole(operation, role), bytesOf(operation.dtype), device);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** Likewise of an operand. A call has its operands already, so only explanations ask this. */
export function operandRefusal(operation: ConvOperation, device: Device): string | undefined {
  const { problem, dtype, pixels } = operation;
  for (const role of operandRoles(operation)) {
    const isImage = role === "x" && pixels !== undefined;
    const shape = isImage ? [problem.batch, ...problem.input] : shapeOfRole(operation, role);
    const refusal = tensorRefusal("an operand", shape, isImage ? BYTES_PER_PIXEL : bytesOf(dtype), device);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

const bytesOf = (dtype: DType): number => BYTES_PER_ELEMENT[dtype];
