/**
 * GoogLeNet's inception blocks (Szegedy et al., "Going deeper with convolutions", 2015, figure 2b): filters of several extents look at
 * the same maps, and their results are put behind one another. Layers of 1x1 make channels few before the costly ones.
 */
import { concat, defineModule, layers, type Module } from "webgpu-conv/nn";

/** Channels of each branch; pairs are those after the 1x1 layer that reduces, and of the branch. */
interface Widths {
  readonly one: number;
  readonly three: readonly [number, number];
  readonly five: readonly [number, number];
  readonly pooled: number;
}

const FIRST: Widths = { one: 8, three: [6, 12], five: [2, 4], pooled: 4 };
const SECOND: Widths = { one: 12, three: [8, 16], five: [4, 8], pooled: 8 };

const channelsOf = ({ one, three, five, pooled }: Widths): number => one + three[1] + five[1] + pooled;

export function inceptionNetwork(init: layers.Init, classes: number): Module {
  return layers.sequential({
    conv1: layers.conv2d(init, 1, 8, { kernel: 3, stride: 2, padding: 1, activation: "relu" }),
    inception1: inception(init, 8, FIRST),
    pool1: layers.maxPool({ kernel: 3, stride: 2, padding: 1 }),
    inception2: inception(init, channelsOf(FIRST), SECOND),
    pool2: layers.globalPool(),
    fc: layers.linear(init, channelsOf(SECOND), classes),
  });
}

function inception(init: layers.Init, inputs: number, { one, three, five, pooled }: Widths): Module {
  const conv = (from: number, to: number, kernel: number): Module =>
    layers.conv2d(init, from, to, { kernel, padding: (kernel - 1) / 2, activation: "relu" });
  const branches = {
    branch1: conv(inputs, one, 1),
    branch2: layers.sequential([conv(inputs, three[0], 1), conv(three[0], three[1], 3)]),
    branch3: layers.sequential([conv(inputs, five[0], 1), conv(five[0], five[1], 5)]),
    branch4: layers.sequential([layers.maxPool({ kernel: 3, stride: 1, padding: 1 }), conv(inputs, pooled, 1)]),
  };
  return defineModule({
    kind: "inception",
    children: branches,
    forward(x) {
      const results = Object.values(branches).map((branch) => branch.forward(x));
      return concat(results);
    },
  });
}
