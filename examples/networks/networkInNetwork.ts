/**
 * Network in Network (Lin, Chen and Yan, 2014): behind each filter a small network of its own looks at the channels of a position, as
 * two layers of 1x1. The last map of each class is averaged: there is no linear layer.
 */
import { layers, type Module } from "webgpu-conv/nn";

export function networkInNetwork(init: layers.Init, classes: number): Module {
  return layers.sequential({
    block1: block(init, 1, [16, 12, 8], 5),
    pool1: layers.maxPool({ kernel: 3, stride: 2, padding: 1 }),
    block2: block(init, 8, [24, 24, classes], 3),
    pool2: layers.globalPool(),
  });
}

/** A layer of F x F, then two of 1x1. */
function block(init: layers.Init, inputs: number, [first, second, third]: readonly number[], kernel: number): Module {
  const activation = "relu";
  return layers.sequential({
    conv: layers.conv2d(init, inputs, first, { kernel, padding: (kernel - 1) / 2, activation }),
    mlp1: layers.conv2d(init, first, second, { kernel: 1, activation }),
    mlp2: layers.conv2d(init, second, third, { kernel: 1, activation }),
  });
}
