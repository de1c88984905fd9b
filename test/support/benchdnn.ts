/** oneDNN's benchdnn problem descriptors, as the test vectors' folder has them. */
import type { Layer } from "./reduceLayer.js";

/** A 2D convolution, every implied value filled in. */
export interface BenchdnnShape {
  readonly file: string;
  readonly line: number;
  /** The descriptor as benchdnn writes it. */
  readonly desc: string;
  readonly g: number;
  readonly mb: number;
  /** Channels of all groups, as `oc`. */
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
  /** Padding before the first element. */
  readonly ph: number;
  readonly pw: number;
  /** Padding after the last element; negative where the last elements are not used. */
  readonly phr: number;
  readonly pwr: number;
  /** Gap between taps: 0 is a contiguous filter. */
  readonly dh: number;
  readonly dw: number;
  /** Multiply-adds with the padding counted. */
  readonly macs?: number;
}

export function readLayer(shape: BenchdnnShape): Layer {
  const { g, mb, ic, oc, ih, iw, oh, ow, kh, kw, sh, sw, ph, pw, phr, pwr, dh, dw } = shape;
  const height = { input: ih, output: oh, kernel: kh, stride: sh, dilation: dh + 1, padBegin: ph, padEnd: phr };
  const width = { input: iw, output: ow, kernel: kw, stride: sw, dilation: dw + 1, padBegin: pw, padEnd: pwr };
  return { batch: mb, groups: g, inChannelsPerGroup: ic / g, outChannelsPerGroup: oc / g, height, width };
}
