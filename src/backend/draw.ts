/** What a caller may say about drawing a tensor, and how it is read. */
import { require, show } from "../base/errors.js";
import { isBelow } from "../base/numbers.js";
import { optionKeys, requireOptions } from "../base/optionKeys.js";
import { requireWord } from "../base/spelling.js";
import { listOf } from "../base/list.js";
import { type Layout, readLayout, splitActivation } from "../problem/layout.js";
import type { GPUCanvasContext, GPUTexture } from "../base/webgpuTypes.js";

/** A canvas configured for the engine's device, or a texture of that device with `RENDER_ATTACHMENT`. */
export type DrawTarget = GPUCanvasContext | GPUTexture;

export interface DrawOptions {
  /** Which of the batch; 0 when absent. */
  readonly sample?: number;
  /** Which channel, in shades; or three of them, drawn as red, green and blue. 0 when absent. */
  readonly channel?: number | readonly [red: number, green: number, blue: number];
  /** The values drawn black and white (or blue and red); what lies beyond is clamped. [0, 1] when absent. */
  readonly range?: readonly [low: number, high: number];
  /** "gray" (when absent), or "diverging": blue, white in the middle of the range, red. */
  readonly colors?: "gray" | "diverging";
  /** Where, in pixels of the target: [x, y, width, height]. Absent, all of it, cleared first. */
  readonly viewport?: readonly [x: number, y: number, width: number, height: number];
  /** Dimension order of the tensor; "channels-first" when absent. */
  readonly layout?: Layout;
}

const DRAW_OPTIONS = optionKeys<DrawOptions>(
  { sample: 1, channel: 1, range: 1, colors: 1, viewport: 1, layout: 1 },
  { number: "channel", string: "colors" },
);

/** Planes of a tensor, as the shader takes them. */
export interface Planes {
  readonly size: readonly [width: number, height: number];
  /** First elements of the red, green and blue plane, and the elements between neighbours in each. */
  readonly elements: readonly [red: number, green: number, blue: number, step: number];
  readonly range: readonly [low: number, factor: number];
  readonly diverging: boolean;
  readonly viewport: Area | undefined;
}

/** Checks the options against the tensor's shape, `[N, C, H, W]` or as `layout` says. */
export function readPlanes(shape: readonly number[], options: DrawOptions, pixels: boolean): Planes {
  requireOptions(options, DRAW_OPTIONS);
  const layout = readLayout(options.layout);
  require(shape.length === 4 || shape.length === 3, () => {
    return `the tensor has shape ${show([...shape])}; expected 4 dimensions [N, C, H, W], or 3 without N`;
  });
  const { batch, channels, spatial } = splitActivation(shape.length === 4 ? shape : [1, ...shape], layout);
  const [height, width] = spatial;
  const { sample = 0, channel = 0, range = [0, 1], colors = "gray", viewport } = options;
  const chosen = numbersOf(typeof channel === "number" ? [channel, channel, channel] : channel);
  require(isBelow(sample, batch), () => `sample is ${show(sample)}; expected an integer below ${String(batch)}`);
  require(chosen.length === 3 && chosen.every((one) => isBelow(one, channels)), () => {
    return `channel is ${show(channel)}; expected an integer below ${String(channels)}, or three of them`;
  });
  const limits = numbersOf(range);
  const [low, high] = limits;
  require(limits.length === 2 && Number.isFinite(low) && Number.isFinite(high) && low < high, () => {
    return `range is ${show(range)}; expected two finite numbers, the first below the second`;
  });
  requireWord("colors", colors, ["gray", "diverging"]);
  const area = viewport === undefined ? undefined : numbersOf(viewport);
  require(area === undefined || isArea(area), () => {
    return `viewport is ${show(viewport)}; expected integers [x, y, width, height] with a positive size`;
  });
  const positions = height * width;
  // Pixels are four bytes each, whatever the tensor's channels.
  const stored = pixels ? 4 : channels;
  const isLast = pixels || layout === "channels-last";
  const first = (one: number): number => sample * stored * positions + (isLast ? one : one * positions);
  return {
    size: [width, height],
    elements: [first(chosen[0]), first(chosen[1]), first(chosen[2]), isLast ? stored : 1],
    range: [low, 1 / (high - low)],
    diverging: colors === "diverging",
    viewport: area,
  };
}

/** The entries of a list, if it is one of numbers alone; none otherwise. */
function numbersOf(list: unknown): number[] {
  const entries = [...(listOf(list) ?? [])];
  return entries.every((entry) => typeof entry === "number") ? entries : [];
}

type Area = readonly [x: number, y: number, width: number, height: number];

function isArea(viewport: readonly number[]): viewport is Area {
  const [x, y, width, height] = viewport;
  return viewport.length === 4 && viewport.every(Number.isInteger) && x >= 0 && y >= 0 && width > 0 && height > 0;
}
