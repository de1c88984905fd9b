/** A step of training on a volume, block by block. */
import type { Engine, Tensor } from "webgpu-conv";
import { accumulate, crossEntropy, type Module, type Optimizer, parametersOf, Tape } from "webgpu-conv/nn";
import { type Block, cutBox, extentsOf } from "./blocks.js";
import { forwardRecomputed } from "./network.js";
import type { Volume } from "./phantom.js";

/** The label of voxels that only lie around a block: `crossEntropy` does not count them. */
const AROUND = -100;

export interface VolumeLoss {
  /** Mean cross-entropy of all voxels. */
  readonly loss: number;
  /** By name, of the sum over all voxels, not of the mean. The caller's to dispose of. */
  readonly gradients: Readonly<Record<string, Tensor>>;
}

export interface LossOptions {
  /** False keeps all that gradients read, which takes more memory and less time. True when absent; gradients have the same bits. */
  readonly recompute?: boolean;
  readonly signal?: AbortSignal;
  /** Called after each block. */
  readonly onBlock?: (done: number) => void;
}

/**
 * The loss of a whole volume and its gradients, added up over blocks of it: in as much memory as the largest crop takes. Every voxel
 * counts in one block, with all around it that the network sees, so that the sum is the whole's but for rounding.
 */
export async function lossOf(
  engine: Engine,
  network: Module,
  volume: Volume,
  blocks: readonly Block[],
  { recompute = true, signal, onBlock }: LossOptions = {},
): Promise<VolumeLoss> {
  const parameters = parametersOf(network, { trainable: true });
  let sums: Record<string, Tensor> | undefined;
  let total = 0;
  try {
    for (const [index, block] of blocks.entries()) {
      signal?.throwIfAborted();
      const [x, target] = inputsOf(engine, volume, block);
      const tape = new Tape(engine);
      try {
        const loss = tape.run(() => {
          const logits = recompute ? forwardRecomputed(network, x) : network.forward(x);
          return crossEntropy(logits, target, { reduction: "sum", ignoreIndex: AROUND });
        });
        try {
          const gradients = tape.gradients(loss, parameters);
          if (sums) addTo(sums, gradients);
          else sums = gradients;
          // Read for each block: the next one begins when this one's memory is free.
          total += (await loss.data())[0];
        } finally {
          loss.dispose();
        }
      } finally {
        tape.dispose();
        x.dispose();
        target.dispose();
      }
      onBlock?.(index + 1);
    }
    return { loss: total / volume.values.length, gradients: sums ?? {} };
  } catch (error) {
    disposeAll(sums ?? {});
    throw error;
  }
}

/** Adds gradients to sums, and gives their memory back. */
function addTo(sums: Readonly<Record<string, Tensor>>, gradients: Readonly<Record<string, Tensor>>): void {
  try {
    accumulate(sums, gradients);
  } finally {
    disposeAll(gradients);
  }
}

/** A step. @returns the loss before it */
export async function trainStep(
  engine: Engine,
  network: Module,
  optimizer: Optimizer,
  volume: Volume,
  blocks: readonly Block[],
  options?: LossOptions,
): Promise<number> {
  const { loss, gradients } = await lossOf(engine, network, volume, blocks, options);
  try {
    optimizer.gradientScale = 1 / volume.values.length;
    optimizer.step(gradients);
  } finally {
    disposeAll(gradients);
  }
  return loss;
}

function inputsOf(
  engine: Engine,
  { extents, values, labels }: Volume,
  { own, crop }: Block,
): readonly [Tensor, Tensor] {
  const shape = extentsOf(crop);
  const x = engine.tensor(cutBox(values, extents, crop), [1, 1, ...shape]);
  return [x, engine.tensor(cutBox(labels, extents, crop, { own, other: AROUND }), [1, ...shape])];
}

export function disposeAll(tensors: Readonly<Record<string, Tensor>>): void {
  for (const tensor of Object.values(tensors)) tensor.dispose();
}
