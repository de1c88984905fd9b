/** Resizing by nearest neighbours or linear interpolation. */
import kernel from "../../../../shaders/nn/resize.wgsl";
import { dispatch } from "../../../planning/solver.js";
import {
  named,
  type Reach,
  type Resize,
  type TensorOperation,
  type TensorSpec,
} from "../../../planning/tensorOperation.js";
import { elementOf, workgroupsFor } from "../../core/elements.js";
import { makeOperation } from "../../core/operation.js";
import {
  elementsOf,
  forEachPlace,
  placeIn,
  resizedVolumes,
  shapeOf,
  type Size,
  volumeConstants,
  type Volumes,
} from "../../core/volumes.js";
import type { Sampling } from "./sampling.js";

/** Volumes, others, and where elements of these lie in the first. */
export interface Resizing {
  readonly input: Volumes;
  readonly output: Volumes;
  readonly linear: boolean;
  /** Of depth, height and width. */
  readonly axes: readonly [Sampling, Sampling, Sampling];
}

/** As kernels have them. */
export const samplingUniforms = ({ axes }: Resizing): Record<"step" | "shift" | "divisor", readonly number[]> => ({
  step: axes.map(({ step }) => step),
  shift: axes.map(({ shift }) => shift),
  divisor: axes.map(({ divisor }) => divisor),
});

/** Other extents, of elements that lie as far from each other. */
export const resizedSampling = (resizing: Resizing, to: Resize): Resizing => ({
  ...resizing,
  input: resizedVolumes(resizing.input, to),
  output: resizedVolumes(resizing.output, to),
});

/** Two neighbours where a result lies between them, else one. */
const reachOf = ({ linear, input, axes }: Resizing): Reach => ({
  layout: input.layout,
  extent: axes.map(({ step, shift, divisor }, axis) => {
    const isBetween = linear && input.size[axis] > 1 && (step % divisor !== 0 || shift % divisor !== 0);
    return isBetween ? 2 : 1;
  }),
  stride: axes.map(({ step, divisor }) => step / divisor),
  before: axes.map(({ shift, divisor }) => -shift / divisor),
});

export function resizeOperation(resizing: Resizing, x: TensorSpec): TensorOperation {
  const { input, output, linear } = resizing;
  const elements = elementsOf(output);
  return makeOperation({
    name: "interpolate",
    options: { resizing },
    operands: { x },
    results: { y: { shape: shapeOf(output), dtype: x.dtype } },
    reach: reachOf(resizing),
    resized(to) {
      const smaller = resizedSampling(resizing, to);
      return resizeOperation(smaller, { ...x, shape: shapeOf(smaller.input) });
    },
    solvers: [
      {
        name: "elementwise",
        plan: (capabilities) => ({
          dispatches: [
            dispatch(kernel, {
              constants: { ...volumeConstants(input), LINEAR: linear },
              types: { Element: elementOf(x.dtype, capabilities) },
              uniforms: {
                sourceSize: input.size,
                resultSize: output.size,
                inner: input.inner,
                elements,
                ...samplingUniforms(resizing),
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
      forEachPlace(output, (outer, at, channel) => {
        let sum = 0;
        forEachCorner(resizing, at, (corner, weight) => {
          sum += weight * values.x[placeIn(input, outer, corner, channel)];
        });
        result.push(sum);
      });
      return { y: Float64Array.from(result) };
    },
  });
}

/** On the host: what a result reads, and by which weights, none of them 0. */
export function forEachCorner(
  { input, axes, linear }: Resizing,
  at: Size,
  visit: (corner: Size, weight: number) => void,
): void {
  const [depth, height, width] = axes.map(({ step, shift, divisor }, axis) => {
    const last = input.size[axis] - 1;
    const position = Math.min(Math.max((step * at[axis] + shift) / divisor, 0), last);
    const first = Math.floor(position);
    const rest = linear ? position - first : 0;
    return rest === 0
      ? [{ to: first, weight: 1 }]
      : [
          { to: first, weight: 1 - rest },
          { to: first + 1, weight: rest },
        ];
  });
  for (const z of depth) {
    for (const y of height) for (const x of width) visit([z.to, y.to, x.to], z.weight * y.weight * x.weight);
  }
}
