/**
 * A small U-Net (Ronneberger, Fischer and Brox, 2015): down to maps of few positions and many channels, and up again by transposed
 * convolutions. On the way up each level sees the maps of the way down, too, put before its own. Extents are multiples of 4.
 */
import { concat, defineModule, layers, type Module } from "webgpu-conv/nn";

const WIDTHS = [8, 16, 32];

export function unet(init: layers.Init, classes: number): Module {
  const down = WIDTHS.map((width, i) => twice(init, WIDTHS[i - 1] ?? 1, width));
  const levels = WIDTHS.slice(0, -1);
  const up = levels.map((width, i) => layers.convTranspose2d(init, WIDTHS[i + 1], width, { kernel: 2, stride: 2 }));
  const merge = levels.map((width) => twice(init, 2 * width, width));
  const pool = layers.maxPool({ kernel: 2 });
  const classify = layers.conv2d(init, WIDTHS[0], classes, { kernel: 1 });
  return defineModule({
    kind: "U-Net",
    children: { ...named("down", down), pool, ...named("up", up), ...named("merge", merge), classify },
    forward(x) {
      const maps = [down[0].forward(x)];
      for (const level of down.slice(1)) maps.push(level.forward(pool.forward(maps[maps.length - 1])));
      let current = maps[maps.length - 1];
      for (const [i] of [...levels.entries()].reverse()) {
        current = merge[i].forward(concat([maps[i], up[i].forward(current)]));
      }
      return classify.forward(current);
    },
  });
}

/** Two layers of 3x3. */
function twice(init: layers.Init, inputs: number, outputs: number): Module {
  const options = { kernel: 3, padding: 1, activation: "relu" } as const;
  return layers.sequential([
    layers.conv2d(init, inputs, outputs, options),
    layers.conv2d(init, outputs, outputs, options),
  ]);
}

const named = (name: string, modules: readonly Module[]): Record<string, Module> =>
  Object.fromEntries(modules.map((module, i) => [`${name}${String(i + 1)}`, module]));
