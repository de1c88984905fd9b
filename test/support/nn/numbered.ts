/** A dataset of numbers, and the batches of an epoch. */
import type { Batch, DataLoader, Dataset, Sample } from "webgpu-conv/nn";

/** Samples of one value, their index. */
export function numbered(size: number, get?: (index: number) => Sample | Promise<Sample>): Dataset {
  const classes = Array.from({ length: size }, (_, i) => String(i));
  return { size, shape: [1, 1, 1], classes, get: get ?? ((index) => ({ x: Float32Array.of(index), label: index })) };
}

export async function epoch(loader: DataLoader): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const batch of loader) batches.push(batch);
  return batches;
}

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
