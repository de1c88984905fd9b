/** Filters of a convolution that reads an enlarged map, as those of a transposed convolution that reads the map itself. */
import kernel from "../../../../shaders/nn/enlarge_filters.wgsl";
import { dispatch } from "../../../planning/solver.js";
import { named, type TensorOperation } from "../../../planning/tensorOperation.js";
import { product } from "../../../problem/geometry.js";
import type { DType } from "../../../problem/dtype.js";
import { elementOf, workgroupsFor } from "../../core/elements.js";
import { makeOperation } from "../../core/operation.js";
import { threeOf } from "../../core/volumes.js";

/** Filters `[groups * outChannels, inChannels, ...kernel]`, and how often each position of their source repeats a value. */
export interface EnlargedFilters {
  readonly groups: number;
  /** Of a group. */
  readonly outChannels: number;
  readonly inChannels: number;
  readonly kernel: readonly number[];
  readonly dilation: readonly number[];
  readonly factor: readonly number[];
}

/** Extents of the transposed filters: each tap of a filter spreads over as many elements as positions repeat a value. */
export const enlargedKernel = ({ kernel, dilation, factor }: EnlargedFilters): number[] =>
  kernel.map((extent, axis) => factor[axis] + (extent - 1) * dilation[axis]);

/**
 * Filters of a transposed convolution of stride `factor`, `[groups * inChannels, outChannels, ...]`, that does what the nearest values
 * of an enlarged map and a convolution of it do: of element a, the sum of the taps t with `0 <= a - (kernel - 1 - t) * dilation < factor`
 * along each axis. (A value that is repeated is a transposed convolution with ones; the two in a row are one, whose filters are
 * their product.)
 */
export function enlargeFiltersOperation(filters: EnlargedFilters, dtype: DType): TensorOperation {
  const { groups, outChannels, inChannels, kernel: extents, dilation, factor } = filters;
  const enlarged = enlargedKernel(filters);
  const planes = groups * outChannels * inChannels;
  const elements = planes * product(enlarged);
  return makeOperation({
    name: "enlargeFilters",
    options: { filters },
    operands: { weight: { shape: [groups * outChannels, inChannels, ...extents], dtype } },
    results: { enlarged: { shape: [groups * inChannels, outChannels, ...enlarged], dtype } },
    reach: "everything",
    rearranges: true,
    resized: (to) =>
      enlargeFiltersOperation({ ...filters, outChannels: to(outChannels), inChannels: to(inChannels) }, dtype),
    solvers: [
      {
        name: "elementwise",
        plan: (capabilities) => ({
          dispatches: [
            dispatch(kernel, {
              constants: { RANK: extents.length },
              types: { Element: elementOf(dtype, capabilities) },
              uniforms: {
                elements,
                inChannels,
                outChannels,
                kernel: threeOf(extents, 1),
                dilation: threeOf(dilation, 1),
                factor: threeOf(factor, 1),
                enlarged: threeOf(enlarged, 1),
              },
              bindings: { filters: named("weight"), result: named("enlarged") },
              workgroups: workgroupsFor(elements, capabilities),
              multiplyAdds: elements * product(extents),
            }),
          ],
          scratchBytes: {},
        }),
      },
    ],
    compute({ weight }) {
      const result = new Float64Array(elements);
      const [taps, repeats] = [placesOf(extents), placesOf(factor)];
      for (let plane = 0; plane < planes; plane++) {
        const filter = Math.floor(plane / inChannels);
        const [group, out] = [Math.floor(filter / outChannels), filter % outChannels];
        const first = ((group * inChannels + (plane % inChannels)) * outChannels + out) * product(enlarged);
        for (const [number, tap] of taps.entries()) {
          const begin = tap.map((at, axis) => (extents[axis] - 1 - at) * dilation[axis]);
          for (const repeat of repeats) {
            const at = begin.reduce((sum, from, axis) => sum * enlarged[axis] + from + repeat[axis], 0);
            result[first + at] += weight[plane * taps.length + number];
          }
        }
      }
      return { enlarged: result };
    },
  });
}

/** All places of such extents, the last axis fastest. */
function placesOf(extents: readonly number[]): number[][] {
  let places: number[][] = [[]];
  for (const extent of extents) {
    places = places.flatMap((place) => Array.from({ length: extent }, (_, i) => [...place, i]));
  }
  return places;
}
