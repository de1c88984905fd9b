/** Resizing as callers say it. */
import { require, show } from "../../../base/errors.js";
import { listOf, type NumberList } from "../../../base/list.js";
import { type OptionKeys, optionKeys, requireOptions } from "../../../base/optionKeys.js";
import { requireWord } from "../../../base/spelling.js";
import type { Layout } from "../../../problem/layout.js";
import { readPerAxis } from "../../../problem/options.js";
import type { Rank } from "../../../problem/problem.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { runOne, showShape, specOf } from "../../core/operation.js";
import { readVolumes, resized, threeOf, type Volumes } from "../../core/volumes.js";
import { recordStep } from "../../tape/step.js";
import { type Resizing, resizeOperation } from "./resize.js";
import { resizeGradientOperation } from "./resizeGradient.js";
import {
  type Coordinates,
  COORDINATES,
  pitchOf,
  type Rounding,
  ROUNDINGS,
  sampleAxis,
  type Sampling,
} from "./sampling.js";

/** "linear", whatever the rank; PyTorch's names of it in two and three dimensions serve, too. */
export type InterpolationMode = "nearest" | "nearest-exact" | "linear" | "bilinear" | "trilinear";

const MODES: readonly InterpolationMode[] = ["nearest", "nearest-exact", "linear", "bilinear", "trilinear"];
const LINEAR_OF_RANK: readonly InterpolationMode[] = ["linear", "bilinear", "trilinear"];

export interface InterpolateOptions {
  /** Extents of the result: one for all axes, or one an axis. Either this or `scaleFactor`. */
  readonly size?: number | NumberList;
  /** The result has `floor(extent * scaleFactor)` elements along an axis, which lie as the factor says. */
  readonly scaleFactor?: number | NumberList;
  /** "nearest" when absent. */
  readonly mode?: InterpolationMode;
  /** Whether the corners of source and result lie on each other, for linear modes: coordinates "align-corners". Not when absent. */
  readonly alignCorners?: boolean;
  /** ONNX's, in place of the mode's: "half-pixel" for linear modes and "nearest-exact", "asymmetric" for "nearest". */
  readonly coordinates?: Coordinates;
  /** ONNX's nearest_mode, of "nearest": "floor" when absent. */
  readonly rounding?: Rounding;
  /** Dimension order of the tensor; "channels-first" when absent. */
  readonly layout?: Layout;
}

const INTERPOLATE_KEYS: OptionKeys = optionKeys<InterpolateOptions>(
  { size: 1, scaleFactor: 1, mode: 1, alignCorners: 1, coordinates: 1, rounding: 1, layout: 1 },
  { number: "scaleFactor", string: "mode" },
);

/**
 * The tensor with other spatial extents, PyTorch's `interpolate`: of each result the nearest value, or the mean of its two neighbours
 * along each axis by their distance. Positions are exact fractions, also where PyTorch's are float32.
 *
 * @param x `[N, C, H, W]`, `[N, C, W]` or `[N, C, D, H, W]`, or as `layout` says
 * @throws ArgumentError for shapes and options that do not fit. LimitError where positions take more than 31 bits.
 */
export function interpolate(x: Tensor, options: InterpolateOptions): Tensor {
  requireOptions(options, INTERPOLATE_KEYS);
  const spec = specOf(x, "x");
  const rank = spec.shape.length - 2;
  require(rank >= 1 && rank <= 3, () => {
    return `x has shape ${showShape(spec.shape)}; expected batch, channels and one to three spatial dimensions`;
  });
  const resizing = readResizing(readVolumes("x", spec.shape, rank as Rank, options.layout), options);
  const y = runOne(resizeOperation(resizing, spec), { x });
  recordStep({
    name: "interpolate",
    inputs: [x],
    outputs: [y],
    saved: [],
    backward: ([dy]) => [dy && runOne(resizeGradientOperation(resizing, spec), { dy })],
  });
  return y;
}

function readResizing(input: Volumes, options: InterpolateOptions): Resizing {
  const { rank, spatial } = input;
  const { coordinates, rounding } = readMode(rank, options);
  const { results, scales } = readSizes(spatial, options);
  const axes = spatial.map((extent, axis) => {
    const count = results[axis];
    const scale = scales?.[axis];
    return sampleAxis(
      extent,
      count,
      scale === undefined ? [extent, count] : pitchOf(scale, count),
      coordinates,
      rounding,
    );
  });
  const missing: Sampling = { step: 1, shift: 0, divisor: 1 };
  return { input, output: resized(input, results), linear: rounding === undefined, axes: threeOf(axes, missing) };
}

function readSizes(
  spatial: readonly number[],
  { size, scaleFactor }: InterpolateOptions,
): { results: number[]; scales?: readonly number[] } {
  const rank = spatial.length;
  require((size === undefined) !== (scaleFactor === undefined), () => {
    return `size is ${show(size)} and scaleFactor is ${show(scaleFactor)}; expected one of them: { size: [64, 64] } or { scaleFactor: 2 }`;
  });
  if (size !== undefined) return { results: readPerAxis("size", size, rank, 1) };
  const list = typeof scaleFactor === "number" ? new Array<number>(rank).fill(scaleFactor) : listOf(scaleFactor);
  const isScale = (scale: unknown): scale is number => typeof scale === "number" && Number.isFinite(scale) && scale > 0;
  require(list?.length === rank && list.every(isScale), () => {
    return `scaleFactor is ${show(listOf(scaleFactor) ?? scaleFactor)}; expected a positive number, or ${String(rank)} of them, one an axis`;
  });
  const results = spatial.map((extent, axis) => Math.floor(extent * list[axis]));
  require(Math.min(...results) >= 1, () => {
    return `scaleFactor ${show(scaleFactor)} makes ${showShape(results)} of ${showShape(spatial)}; expected at least 1 along each axis`;
  });
  return { results, scales: list };
}

/** Where results lie, and how they are rounded; undefined for linear modes. */
function readMode(
  rank: Rank,
  { mode = "nearest", alignCorners = false, coordinates, rounding }: InterpolateOptions,
): { coordinates: Coordinates; rounding: Rounding | undefined } {
  requireWord("mode", mode, MODES);
  require(typeof alignCorners === "boolean", () => `alignCorners is ${show(alignCorners)}; expected a boolean`);
  if (coordinates !== undefined) requireWord("coordinates", coordinates, COORDINATES);
  if (rounding !== undefined) requireWord("rounding", rounding, ROUNDINGS);
  require(rounding === undefined || mode === "nearest", () =>
    `rounding is ${show(rounding)} with mode ${show(mode)}; expected it with mode "nearest" alone`);
  require(!alignCorners || coordinates === undefined || coordinates === "align-corners", () =>
    `alignCorners is true and coordinates is ${show(coordinates)}; expected one of them`);
  if (mode === "nearest" || mode === "nearest-exact") {
    require(!alignCorners, () =>
      `alignCorners is true with mode ${show(mode)}; expected it with linear modes, or { coordinates: "align-corners" }`);
    const isExact = mode === "nearest-exact";
    return {
      coordinates: coordinates ?? (isExact ? "half-pixel" : "asymmetric"),
      rounding: isExact ? "prefer-ceil" : (rounding ?? "floor"),
    };
  }
  require(mode === "linear" || mode === LINEAR_OF_RANK[rank - 1], () => {
    return `mode is ${show(mode)} for ${String(rank)} spatial dimensions; expected "linear" or ${show(LINEAR_OF_RANK[rank - 1])}`;
  });
  return { coordinates: coordinates ?? (alignCorners ? "align-corners" : "half-pixel"), rounding: undefined };
}
