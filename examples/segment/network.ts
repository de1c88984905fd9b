/** The network: MeshNet's layers, in three parts. */
import type { Engine, Tensor } from "webgpu-conv";
import { checkpoint, heNormal, layers, type Module, modulesOf, Random } from "webgpu-conv/nn";

/** Dilations of the 3x3x3 layers, by part. */
const DILATIONS = [[1, 2, 4, 8], [16], [8, 4, 2, 1]] as const;

/** Classes of the phantom, and of a tissue segmentation: background, grey and white matter. */
export const CLASSES = 3;

/** Voxels that a result sees beyond its own, to each side: each 3x3x3 layer sees as far as its dilation. */
export const HALO = DILATIONS.flat().reduce((sum: number, dilation) => sum + dilation, 0);

/** Of a relu's layer, and of one without an activation. */
const [RELU, LINEAR] = [0, 1];

/**
 * MeshNet, as brainchop.org publishes it for tissue: nine 3x3x3 layers with relu, their dilations 1, 2, 4, 8, 16, 8, 4, 2, 1, and a 1x1x1
 * layer to the classes. Norms are folded into the published weights, so that there are none here. He's first values, seeded: with
 * PyTorch's, which are smaller, next to nothing of a volume would come through ten layers.
 *
 * @returns a sequence of three parts, of a volume `[N, 1, D, H, W]`, with logits `[N, CLASSES, D, H, W]`
 */
export async function makeMeshNet(engine: Engine, channels: number, seed: number): Promise<Module> {
  const random = new Random(seed);
  const init = { engine, random };
  let before = 1;
  const parts = DILATIONS.map((dilations) =>
    dilations.map((dilation) => {
      const options = { kernel: 3, padding: dilation, dilation, activation: "relu" } as const;
      const layer = layers.conv3d(init, before, channels, options);
      before = channels;
      return layer;
    }),
  );
  const last = layers.conv3d(init, channels, CLASSES, { kernel: 1 });
  const [widening, widest, narrowing] = parts;
  const network = layers.sequential({
    widening: layers.sequential(widening),
    widest: layers.sequential(widest),
    narrowing: layers.sequential([...narrowing, last]),
  });
  for (const { module } of modulesOf(network)) {
    if (!("weight" in module.parameters)) continue;
    const { weight } = module.parameters;
    const negativeSlope = module === last ? LINEAR : RELU;
    await engine.write(weight, heNormal(weight.shape, random, { negativeSlope }));
  }
  return network;
}

/** The parts, in their order: each sees at most 16 voxels beyond its own. */
export const partsOf = (network: Module): readonly Module[] => Object.values(network.children);

/** Runs the network. Where a tape records, it keeps what goes into each part, and computes the rest once more for gradients. */
export function forwardRecomputed(network: Module, x: Tensor): Tensor {
  return partsOf(network).reduce((input, part) => checkpoint((value) => part.forward(value), input), x);
}
