/** Copies of parts of tensors, for operations in pieces. */
import type { Region } from "../planning/pieces.js";
import { type CopyStep, copySteps, planCopy, spanOf } from "../pieces/copyRuns.js";
import { needsKernel, placesOf, type Walk, walkOf, WORD_BYTES } from "../pieces/regions.js";
import { type PooledBuffer, viewOf } from "./device/bufferPool.js";
import type { DeviceParts } from "./parts.js";
import type { PreparedPlan } from "./pipelines/prepared.js";

/** Dispatches on buffers. */
export type Bound = ReturnType<PreparedPlan["bind"]>;

export const inWords = (bytes: number): number => WORD_BYTES * Math.ceil(bytes / WORD_BYTES);

/** A region of one buffer to be copied to a region of another. */
export interface Copy {
  readonly source: PooledBuffer;
  readonly target: PooledBuffer;
  readonly walk: Walk;
}

export const copyOf = (source: PooledBuffer, from: Region, target: PooledBuffer, to: Region): Copy => ({
  source,
  target,
  walk: walkOf(from, to),
});

function encodeCopy(encoder: GPUCommandEncoder, { source, target, walk }: Copy): void {
  const { elementBytes } = walk;
  const size = walk.length * elementBytes;
  for (const [from, to] of placesOf(walk)) {
    const [place, end] = [source.offset + from * elementBytes, target.offset + to * elementBytes];
    encoder.copyBufferToBuffer(source.buffer, place, target.buffer, end, size);
  }
}

/** Copies of buffers, to be encoded between passes; undefined where there are none. */
export function betweenPasses(copies: readonly Copy[]): ((encoder: GPUCommandEncoder) => void) | undefined {
  const plain = copies.filter(({ walk }) => !needsKernel(walk));
  return plain.length > 0 ? (encoder) => plain.forEach((copy) => encodeCopy(encoder, copy)) : undefined;
}

/** The part of a buffer that a step touches, from a multiple of the alignment on, and where in it the step begins. */
function windowOf(pooled: PooledBuffer, step: CopyStep, of: 0 | 1, elementBytes: number, alignment: number) {
  const place = pooled.offset + step.start[of] * elementBytes;
  const within = place % alignment;
  const bytes = inWords(within + spanOf(step, of, elementBytes));
  return { first: within / elementBytes, view: viewOf(pooled, place - within - pooled.offset, bytes) };
}

/** Dispatches that make the other copies, in windows of both buffers. */
export function byKernel(parts: DeviceParts, copies: readonly Copy[]): Bound {
  return copies.filter(({ walk }) => needsKernel(walk)).flatMap((copy) => copyByKernel(parts, copy));
}

function copyByKernel({ plans, capabilities, device }: DeviceParts, { source, target, walk }: Copy): Bound {
  const { minStorageBufferOffsetAlignment: alignment } = device.limits;
  const { elementBytes } = walk;
  const isHalf = elementBytes < WORD_BYTES;
  return copySteps(walk, capabilities.limits.maxStorageBufferBindingSize - alignment).flatMap((given) => {
    const from = windowOf(source, given, 0, elementBytes, alignment);
    const to = windowOf(target, given, 1, elementBytes, alignment);
    const step: CopyStep = { ...given, start: [from.first, to.first] };
    const key = `copy ${String(isHalf)} ${JSON.stringify(step)}`;
    const prepared = plans.get(
      key,
      () => planCopy(step, isHalf, capabilities),
      () => () => undefined,
      undefined,
    );
    return prepared.bind({ x: from.view, y: to.view });
  });
}
