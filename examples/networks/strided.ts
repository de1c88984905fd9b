/**
 * Strides in the place of pooling (Springenberg et al., "Striving for simplicity: the all convolutional net", 2015): each layer halves
 * the extents, rounded up, and learns how.
 */
import { layers, type Module } from "webgpu-conv/nn";

const WIDTHS = [12, 24, 48];

export function strided(init: layers.Init, classes: number): Module {
  const options = { kernel: 3, stride: 2, padding: 1, activation: "relu" } as const;
  const convolutions = WIDTHS.map((filters, i) => {
    return [`conv${String(i + 1)}`, layers.conv2d(init, WIDTHS[i - 1] ?? 1, filters, options)] as const;
  });
  return layers.sequential({
    ...Object.fromEntries(convolutions),
    pool: layers.globalPool(),
    fc: layers.linear(init, WIDTHS[WIDTHS.length - 1], classes),
  });
}
