/** A small ConvNet for glyphs of 28 x 28: four strided 3x3 layers, each of half the extent, and a linear layer. */
import { layers, type Module } from "webgpu-conv/nn";
import { initialise } from "./initialise.js";

/** Filters of each layer. */
const FILTERS = [12, 24, 32, 48];
/** 28, 14, 7, 4, 2. */
const LAST_EXTENT = 2;

export const CLASSES = 10;

export async function glyphNetwork(init: layers.Init): Promise<Module> {
  const convolutions = FILTERS.map((filters, i) => {
    const options = { kernel: 3, stride: 2, padding: 1, activation: "relu" } as const;
    return [`conv${String(i + 1)}`, layers.conv2d(init, i === 0 ? 1 : FILTERS[i - 1], filters, options)] as const;
  });
  const network = layers.sequential({
    ...Object.fromEntries(convolutions),
    flatten: layers.flatten(),
    fc: layers.linear(init, FILTERS[FILTERS.length - 1] * LAST_EXTENT ** 2, CLASSES),
  });
  await initialise(network, init.engine, init.random);
  return network;
}
