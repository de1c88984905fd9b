/**
 * A context module (Yu and Koltun, "Multi-scale context aggregation by dilated convolutions", 2016): filters of 3x3 whose taps are 1,
 * 1, 2, 4, 8 and 1 apart. Six layers see 35 x 35 positions, more than a glyph is large, and lose no resolution: what a pixel is
 * part of can be said for each pixel.
 */
import { layers, type Module } from "webgpu-conv/nn";

export const DILATIONS = [1, 1, 2, 4, 8, 1];
const CHANNELS = 12;

export function dilatedContext(init: layers.Init, classes: number): Module {
  const context = DILATIONS.map((dilation, i) => {
    const options = { kernel: 3, dilation, padding: dilation, activation: "relu" } as const;
    return [`context${String(i + 1)}`, layers.conv2d(init, i === 0 ? 1 : CHANNELS, CHANNELS, options)] as const;
  });
  return layers.sequential({
    ...Object.fromEntries(context),
    classify: layers.conv2d(init, CHANNELS, classes, { kernel: 1 }),
  });
}
