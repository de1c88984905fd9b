/**
 * Three layers of 3x3 see as far as one of 7x7, and have three nonlinearities in the place of one. Between C channels they have
 * 3 (C x 3 x 3 x C) = 27 C^2 weights, the one layer C x 7 x 7 x C = 49 C^2.
 */
import { layers, type Module } from "webgpu-conv/nn";

/** C. */
export const CHANNELS = 16;

/** Three layers of 3x3: 27 C^2 weights. */
export const threeByThree = (init: layers.Init, channels = CHANNELS): Module =>
  layers.sequential([3, 3, 3].map((kernel) => keeping(init, channels, kernel)));

/** One layer of 7x7: 49 C^2 weights. */
export const sevenBySeven = (init: layers.Init, channels = CHANNELS): Module => keeping(init, channels, 7);

const keeping = (init: layers.Init, channels: number, kernel: number): Module =>
  layers.conv2d(init, channels, channels, { kernel, padding: (kernel - 1) / 2, bias: false, activation: "relu" });

export const withThrees = (init: layers.Init, classes: number): Module => around(init, classes, threeByThree(init));
export const withSeven = (init: layers.Init, classes: number): Module => around(init, classes, sevenBySeven(init));

/** The same before and after. */
const around = (init: layers.Init, classes: number, body: Module): Module =>
  layers.sequential({
    stem: layers.conv2d(init, 1, CHANNELS, { kernel: 3, stride: 2, padding: 1, activation: "relu" }),
    body,
    pool: layers.globalPool(),
    fc: layers.linear(init, CHANNELS, classes),
  });
