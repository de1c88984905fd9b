/** Stacks of layers that see equally far, or cost equally little, and what the formulas say of them. */
import { dilatedExtent, layerBytes, multiplyAdds, parameterCount, receptiveField } from "webgpu-conv";
import type { ComparisonName } from "./part.js";

/** A layer that keeps height and width. */
export interface StackLayer {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernel: number;
  readonly dilation: number;
}

export interface Stack {
  readonly name: string;
  readonly layers: readonly StackLayer[];
}

export interface Comparison {
  readonly title: string;
  /** What there is to see in it. */
  readonly point: string;
  /** What its effective receptive fields show. */
  readonly seen: string;
  readonly stacks: readonly Stack[];
}

const layer = (kernel: number, channels: number, dilation = 1): StackLayer => ({
  inChannels: channels,
  outChannels: channels,
  kernel,
  dilation,
});

const WIDE = 256;
const NARROW = 64;

export function comparisonOf(name: ComparisonName, channels: number): Comparison {
  const small = layer(3, channels);
  switch (name) {
    case "seven":
      return {
        title: "One 7×7 or three 3×3",
        point:
          "The same view of the input, with 27 in place of 49 weights for each pair of channels, and two more activations between them.",
        seen: "Three 3×3 see as far as one 7×7, but its rim less strongly.",
        stacks: [
          { name: "one 7×7", layers: [layer(7, channels)] },
          { name: "three 3×3", layers: [small, small, small] },
        ],
      };
    case "five":
      return {
        title: "One 5×5 or two 3×3",
        point:
          "The same view of the input, with 18 in place of 25 weights for each pair of channels, and one more activation between them.",
        seen: "Two 3×3 see as far as one 5×5, but its rim less strongly.",
        stacks: [
          { name: "one 5×5", layers: [layer(5, channels)] },
          { name: "two 3×3", layers: [small, small] },
        ],
      };
    case "dilated":
      return {
        title: "Dilation 1, 2, 4",
        point:
          "Taps that stand apart see farther at the same cost: three 3×3 see 7×7, and with dilation 15×15, as one 15×15 does. Each layer more than doubles the field, with as many weights as the one before.",
        seen: "Three 3×3 see less than half as far as one 15×15. With dilation 1, 2 and 4 they see as far, but its rim less strongly.",
        stacks: [
          { name: "one 15×15", layers: [layer(15, channels)] },
          { name: "three 3×3", layers: [small, small, small] },
          { name: "3×3 at dilation 1, 2, 4", layers: [1, 2, 4].map((dilation) => layer(3, channels, dilation)) },
        ],
      };
    case "bottleneck":
      return {
        title: "A 1×1 bottleneck, 256-64-64-256",
        point: "A 1×1 layer squeezes 256 channels to 64, the 3×3 works on few of them, another 1×1 spreads them again.",
        seen: "A 1×1 sees one element: the stack sees what its 3×3 does.",
        stacks: [
          { name: "one 3×3", layers: [layer(3, WIDE)] },
          {
            name: "1×1, 3×3, 1×1",
            layers: [
              { inChannels: WIDE, outChannels: NARROW, kernel: 1, dilation: 1 },
              layer(3, NARROW),
              { inChannels: NARROW, outChannels: WIDE, kernel: 1, dilation: 1 },
            ],
          },
        ],
      };
  }
}

export interface Counts {
  readonly weights: number;
  readonly multiplyAdds: number;
  /** Along one axis. */
  readonly receptiveField: number;
  /** Read and written, each once, all layers. */
  readonly bytes: number;
  /** Weights as a sum of products, in figures. */
  readonly formula: string;
}

/** Biases are left out: they are few, and the comparison is of filters. */
export function countStack({ layers }: Stack, extent: number): Counts {
  const shape = [extent, extent];
  const geometries = layers.map(({ inChannels, outChannels, kernel }) => {
    return { inChannels, outChannels, kernel: [kernel, kernel], bias: false };
  });
  const sum = (count: (geometry: (typeof geometries)[number]) => number): number =>
    geometries.reduce((total, geometry) => total + count(geometry), 0);
  return {
    weights: sum((geometry) => parameterCount(geometry).weights),
    multiplyAdds: sum((geometry) => multiplyAdds(geometry, shape)),
    receptiveField: receptiveField(layers.map(({ kernel, dilation }) => ({ kernel, dilation }))).size,
    bytes: sum((geometry) => layerBytes(geometry, shape, shape)),
    formula: formulaOf(layers),
  };
}

function formulaOf(layers: readonly StackLayer[]): string {
  const products = layers.map(({ inChannels, outChannels, kernel }) => {
    return `${String(kernel)}·${String(kernel)}·${String(inChannels)}·${String(outChannels)}`;
  });
  const [first] = products;
  const allAlike = products.length > 1 && products.every((product) => product === first);
  return allAlike ? `${String(products.length)}·(${first})` : products.join(" + ");
}

/** Padding with which the layer keeps height and width. */
export const paddingOf = ({ kernel, dilation }: StackLayer): number => (dilatedExtent(kernel, dilation) - 1) / 2;
