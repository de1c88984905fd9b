/** What a tuned choice is kept by: the device, and the problem with its sizes rounded. */
import type { AdapterDescription } from "../backend/backend.js";
import type { Capabilities } from "../planning/capabilities.js";
import type { ConvOperation } from "../problem/operation.js";

/** Everything about a device that planning reads, and its name. */
export function adapterKey(adapter: AdapterDescription, capabilities: Capabilities): string {
  const { vendor, architecture, description } = adapter;
  const { deviceClass, shaderF16, subgroupLanes, subgroupMatrix, limits } = capabilities;
  const read = [deviceClass, shaderF16, subgroupLanes, subgroupMatrix, Object.values(limits)];
  return JSON.stringify([vendor, architecture, description, ...read]);
}

/** The next of 1, 2, 3, 4, 6, 8, 12, 16, 24, ...: sizes between the same two share a bucket. */
export function bucketSize(size: number): number {
  const power = 2 ** Math.floor(Math.log2(size));
  return [power, 1.5 * power, 2 * power].find((value) => Number.isInteger(value) && value >= size) ?? size;
}

/** Equal for operations that are tuned as one: all that shapes a kernel as it is, and sizes rounded up. */
export function bucketOf({
  direction,
  problem,
  dtype,
  bias,
  residual,
  activation,
  masked,
  pixels,
}: ConvOperation): string {
  const { rank, kernel, stride, dilation, padBegin, padEnd, paddingMode, layout, weightOrder } = problem;
  const { batch, groups, inChannelsPerGroup, outChannelsPerGroup, input, weightPositionStride } = problem;
  const sizes = [batch, groups, inChannelsPerGroup, outChannelsPerGroup, ...input.slice(-rank)].map(bucketSize);
  const padded = [...padBegin, ...padEnd].some((pad) => pad !== 0);
  const shape = [rank, kernel, stride, dilation, padded, paddingMode, layout, weightOrder, weightPositionStride > 0];
  return JSON.stringify([direction, dtype, bias, residual, activation.name, masked, !!pixels, shape, sizes]);
}
