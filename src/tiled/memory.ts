/**
 * How much memory a tile takes: on the device, and on the host while the next one is read and the last one written. What the device's
 * pool does is played through, so that rounding to size classes and buffers that serve twice are counted.
 */
import { sizeClass } from "../gpu/device/bufferPool.js";
import type { SolverPlan } from "../planning/solver.js";
import { BYTES_PER_ELEMENT, type DType } from "../problem/dtype.js";
import type { ConvOperation } from "../problem/operation.js";
import type { Stack } from "./layers.js";
import type { PlannedTile } from "./solvers.js";

/** A tile's layer: what it reads and makes, in elements, and how. */
export interface TileStep {
  readonly operation: ConvOperation;
  readonly planned: PlannedTile;
  readonly inputElements: number;
  readonly outputElements: number;
}

/** Arrays of a tile that the host has at once: the next tile's values, this one's, and what the driver holds to upload them. */
const INPUT_COPIES = 3;
/** Likewise of results: the last tile's, this one's, and one that is cut to what is wanted, or decoded. */
const OUTPUT_COPIES = 3;
const FLOAT_BYTES = 4;
/** Scratch memory that is kept for the next tile, and does not serve others then. */
const isOfWeights = (name: string): boolean =>
  name.startsWith("w") && name !== "winograd sources" && name !== "winograd sums";

/** Buffers that a batch takes anew, and those that it is done with. */
export class BatchMemory {
  bytes = 0;
  readonly #spare = new Map<number, number>();

  /** @returns the bytes of the buffer, to be given back */
  take(bytes: number): number {
    const size = sizeClass(bytes);
    const spare = this.#spare.get(size) ?? 0;
    if (spare > 0) this.#spare.set(size, spare - 1);
    else this.bytes += size;
    return size;
  }

  giveBack(size: number): void {
    this.#spare.set(size, (this.#spare.get(size) ?? 0) + 1);
  }

  /** What an operation takes: scratch memory while it runs, and its results. Returns the latter. */
  run(scratchBytes: SolverPlan["scratchBytes"], results: readonly number[]): readonly number[] {
    const scratch = Object.entries(scratchBytes);
    for (const [name, bytes] of scratch) if (isOfWeights(name)) this.take(bytes);
    const taken = scratch.map(([, bytes]) => this.take(bytes));
    const made = results.map((bytes) => this.take(bytes));
    for (const size of taken) this.giveBack(size);
    return made;
  }
}

/** Bytes beside those of a batch: arrays on the host, and what results are read through. */
export function readingBytes(inputElements: number, outputElements: number, dtype: DType): number {
  const staging = sizeClass(BYTES_PER_ELEMENT[dtype] * outputElements);
  return staging + FLOAT_BYTES * (INPUT_COPIES * inputElements + OUTPUT_COPIES * outputElements);
}

/** Bytes that a tile takes at most. */
export function tileBytes({ dtype }: Stack, steps: readonly TileStep[]): number {
  const memory = new BatchMemory();
  const bytesOf = (elements: number): number => BYTES_PER_ELEMENT[dtype] * elements;
  // The host writes it: its memory serves others only once the batch is submitted.
  memory.take(bytesOf(steps[0].inputElements));
  let source: number | undefined;
  for (const { planned, outputElements } of steps) {
    const [result] = memory.run(planned.plan.scratchBytes, [bytesOf(outputElements)]);
    if (source !== undefined) memory.giveBack(source);
    source = result;
  }
  return memory.bytes + readingBytes(steps[0].inputElements, steps[steps.length - 1].outputElements, dtype);
}
