/** Padding as an operation of its own. */
import kernel from "../../../../shaders/nn/pad.wgsl";
import { require, show } from "../../../base/errors.js";
import { type OptionKeys, optionKeys, requireOptions } from "../../../base/optionKeys.js";
import { requireWord } from "../../../base/spelling.js";
import { dispatch } from "../../../planning/solver.js";
import { named, type TensorOperation, type TensorSpec } from "../../../planning/tensorOperation.js";
import type { Layout } from "../../../problem/layout.js";
import { type PerAxis, readPadding } from "../../../problem/options.js";
import { PADDING_MODES, type PaddingMode, requirePaddable } from "../../../problem/padding.js";
import type { Rank } from "../../../problem/problem.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { elementOf, workgroupsFor } from "../../core/elements.js";
import { moderate } from "../../core/operands.js";
import { makeOperation, runOne, showShape, specOf } from "../../core/operation.js";
import {
  elementsOf,
  forEachPlace,
  placeIn,
  readVolumes,
  resized,
  shapeOf,
  type Size,
  threeOf,
  volumeConstants,
} from "../../core/volumes.js";
import { recordStep } from "../../tape/step.js";
import { padGradientOperation } from "./padGradient.js";
import { type Padded, paddedPlace, resizedPad } from "./padded.js";

export interface PadOptions {
  /** Elements before and behind each spatial axis: a number, one an axis, or pairs of sides, where negative ones crop. */
  readonly padding: PerAxis | readonly (readonly [number, number])[];
  /** What lies beyond the edges; "zeros", or `value` in their place, when absent. */
  readonly paddingMode?: PaddingMode;
  /** In place of zeros. 0 when absent. */
  readonly value?: number;
  /** Dimension order of the tensor; "channels-first" when absent. */
  readonly layout?: Layout;
}

const PAD_KEYS: OptionKeys = optionKeys<PadOptions>(
  { padding: 1, paddingMode: 1, value: 1, layout: 1 },
  { number: "padding" },
);

/**
 * The tensor with what lies beyond its edges, as PyTorch's `pad` has it, along its spatial axes.
 *
 * @param x `[N, C, H, W]`, `[N, C, W]` or `[N, C, D, H, W]`, or as `layout` says
 * @throws ArgumentError for padding that the mode does not have: reflected less than the extent, symmetric and circular at most.
 */
export function pad(x: Tensor, options: PadOptions): Tensor {
  requireOptions(options, PAD_KEYS);
  const spec = specOf(x, "x");
  const padded = readPad(spec.shape, options);
  const y = runOne(padOperation(padded, spec, options.value ?? 0), { x });
  recordStep({
    name: "pad",
    inputs: [x],
    outputs: [y],
    saved: [],
    backward: ([dy]) => [dy && runOne(padGradientOperation(padded, spec), { dy })],
  });
  return y;
}

function readPad(shape: readonly number[], { padding, paddingMode = "zeros", value = 0, layout }: PadOptions): Padded {
  requireWord("paddingMode", paddingMode, PADDING_MODES);
  require(typeof value === "number", () => `value is ${show(value)}; expected a number`);
  require(value === 0 || paddingMode === "zeros", () => {
    return `value is ${show(value)} with paddingMode ${show(paddingMode)}; expected it with "zeros" alone`;
  });
  const rank = shape.length - 2;
  require(rank >= 1 && rank <= 3, () => {
    return `x has shape ${showShape(shape)}; expected batch, channels and one to three spatial dimensions`;
  });
  require((padding as unknown) !== undefined && typeof padding !== "string", () => {
    return `padding is ${show(padding)}; expected a number, one an axis, or pairs [begin, end]`;
  });
  const input = readVolumes("x", shape, rank as Rank, layout);
  const pads = readPadding(
    padding,
    input.spatial.map((extent) => ({ input: extent, kernel: 1, stride: 1, dilation: 1 })),
  );
  const extents = input.spatial.map((extent, axis) => extent + pads[axis][0] + pads[axis][1]);
  for (const [axis, sides] of pads.entries()) {
    requirePaddable(paddingMode, input.spatial[axis], sides, `spatial axis ${String(axis)}`);
  }
  require(Math.min(...extents) >= 1, () => {
    return `padding ${show(pads)} leaves ${showShape(extents)} of ${showShape(input.spatial)}; expected at least 1 along each axis`;
  });
  const begins = pads.map(([begin]) => begin);
  return { input, output: resized(input, extents), mode: paddingMode, padBegin: threeOf(begins, 0) };
}

function padOperation(padded: Padded, x: TensorSpec, value: number): TensorOperation {
  const { input, output, mode, padBegin } = padded;
  const elements = elementsOf(output);
  return makeOperation({
    name: "pad",
    options: { padded, value },
    operands: { x },
    results: { y: { shape: shapeOf(output), dtype: x.dtype } },
    reach: { layout: input.layout, extent: [1, 1, 1], stride: [1, 1, 1], before: padBegin, paddingMode: mode },
    resized(to) {
      const smaller = resizedPad(padded, to);
      return padOperation(smaller, { ...x, shape: shapeOf(smaller.input) }, value === 0 ? 0 : moderate(value));
    },
    solvers: [
      {
        name: "elementwise",
        plan: (capabilities) => ({
          dispatches: [
            dispatch(kernel, {
              constants: { ...volumeConstants(input), PADDING_MODE: PADDING_MODES.indexOf(mode) },
              types: { Element: elementOf(x.dtype, capabilities) },
              uniforms: {
                sourceSize: input.size,
                resultSize: output.size,
                inner: input.inner,
                elements,
                padBegin,
                value,
              },
              bindings: { source: named("x"), result: named("y") },
              workgroups: workgroupsFor(elements, capabilities),
            }),
          ],
          scratchBytes: {},
        }),
      },
    ],
    compute(values) {
      const result: number[] = [];
      forEachPlace(output, (outer, at: Size, channel) => {
        const from = paddedPlace(padded, at);
        result.push(from ? values.x[placeIn(input, outer, from, channel)] : value);
      });
      return { y: Float64Array.from(result) };
    },
  });
}
