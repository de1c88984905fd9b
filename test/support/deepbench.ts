/** DeepBench's convolution shapes, as the test vectors' folder has them. */
import { dilatedExtent } from "../../src/problem/geometry.js";
import type { Layer, LayerAxis } from "./reduceLayer.js";

/** A 2D convolution without groups or dilation. */
export interface DeepbenchShape {
  readonly set: string;
  readonly index: number;
  readonly application?: string;
  readonly mb: number;
  readonly ic: number;
  readonly oc: number;
  readonly ih: number;
  readonly iw: number;
  readonly oh: number;
  readonly ow: number;
  readonly kh: number;
  readonly kw: number;
  readonly sh: number;
  readonly sw: number;
  /** Padding on both sides. */
  readonly ph: number;
  readonly pw: number;
  /** Twice the multiply-adds of the forward pass, padding counted. */
  readonly flops: number;
}

/** `12 DeepSpeech 4x1x161x700 to 32, 5x20`: the shape in a line. */
export function describeDeepbench({ index, application = "", mb, ic, oc, ih, iw, kh, kw }: DeepbenchShape): string {
  return `${String(index)} ${application} ${[mb, ic, ih, iw].join("x")} to ${String(oc)}, ${String(kh)}x${String(kw)}`;
}

/**
 * The axis with an end padding such that the padded input is exactly what the outputs need: DeepBench rounds the
 * output's size down, so that last elements of the input may go unused.
 */
function exactAxis(axis: Omit<LayerAxis, "padEnd" | "dilation">): LayerAxis {
  const { input, output, kernel, stride, padBegin } = axis;
  const padEnd = (output - 1) * stride + dilatedExtent(kernel) - input - padBegin;
  return { ...axis, dilation: 1, padEnd };
}

export function readDeepbenchLayer({ mb, ic, oc, ...shape }: DeepbenchShape): Layer {
  const { ih, iw, oh, ow, kh, kw, sh, sw, ph, pw } = shape;
  return {
    batch: mb,
    groups: 1,
    inChannelsPerGroup: ic,
    outChannelsPerGroup: oc,
    height: exactAxis({ input: ih, output: oh, kernel: kh, stride: sh, padBegin: ph }),
    width: exactAxis({ input: iw, output: ow, kernel: kw, stride: sw, padBegin: pw }),
  };
}
