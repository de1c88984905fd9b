/**
 * How far a float32 result by Winograd's minimal filtering F(tile x tile, kernel x kernel) may be from the float64 one.
 *
 * The result is `A^T [sum over channels of (G g G^T) * (B^T d B)] A` (Lavin and Gray, 2016), so an error made on the way
 * reaches it through those matrices. To first order it is at most `roundings * 2^-24` times the same expression over
 * absolute values: of g, of d, and of every entry of A, B and G. Values cancel in the expression and do not in its bound,
 * which is what the transforms cost, and more for the larger tile.
 */
import { paddedView, plainView } from "./plain.js";
import { require, show } from "../base/errors.js";
import type { ConvProblem } from "../problem/problem.js";
import { requireWord } from "../base/spelling.js";
import { errorBound, longestChain, UNIT_ROUNDOFF } from "./bound.js";
import type { PassOperands } from "./passes.js";
import { requireOperands } from "./checks.js";
import { transform, TRANSFORM_ROUNDINGS, type Transforms, transformsOf, transposed } from "./winogradMatrices.js";

/** A pass as a forward one, channels first, in absolute values. */
interface Gathered {
  readonly source: Float64Array;
  readonly sourceSize: readonly [height: number, width: number];
  readonly resultSize: readonly [height: number, width: number];
  readonly pad: readonly [top: number, left: number];
  readonly sourceChannels: number;
  readonly resultChannels: number;
  readonly dilation: readonly [down: number, across: number];
  /** The filter from a source channel to a result channel of a group. */
  readonly filterOf: (group: number, result: number, source: number) => Float64Array;
  readonly toLayout: (values: Float64Array) => Float64Array;
}

function gatherForward(problem: ConvProblem, { x = [], w = [] }: PassOperands): Gathered {
  const view = paddedView(problem);
  const { input, padBegin } = view;
  const { dilation, inChannelsPerGroup, outChannelsPerGroup, taps } = problem;
  const weight = view.wIn(w).map(Math.abs);
  return {
    source: view.xIn(x).map(Math.abs),
    sourceSize: [input[1], input[2]],
    resultSize: [problem.output[1], problem.output[2]],
    pad: [padBegin[1], padBegin[2]],
    dilation: [dilation[1], dilation[2]],
    sourceChannels: inChannelsPerGroup,
    resultChannels: outChannelsPerGroup,
    filterOf: (group, result, source) => {
      const first = taps * ((group * outChannelsPerGroup + result) * inChannelsPerGroup + source);
      return weight.subarray(first, first + taps);
    },
    toLayout: view.yOut,
  };
}

function gatherInputGradient(problem: ConvProblem, { dy = [], w = [] }: PassOperands): Gathered {
  const view = plainView(problem);
  const { input, output, padBegin, kernel, dilation, inChannelsPerGroup, outChannelsPerGroup, taps } = problem;
  const weight = view.wIn(w).map(Math.abs);
  return {
    source: view.yIn(dy).map(Math.abs),
    sourceSize: [output[1], output[2]],
    resultSize: [input[1], input[2]],
    pad: [(kernel[1] - 1) * dilation[1] - padBegin[1], (kernel[2] - 1) * dilation[2] - padBegin[2]],
    dilation: [dilation[1], dilation[2]],
    sourceChannels: outChannelsPerGroup,
    resultChannels: inChannelsPerGroup,
    filterOf: (group, result, source) => {
      const first = taps * ((group * outChannelsPerGroup + source) * inChannelsPerGroup + result);
      return weight.slice(first, first + taps).reverse();
    },
    toLayout: view.xOut,
  };
}

/**
 * The bound for each element of a pass of a 2D problem with 3 x 3 or 5 x 5 filters at stride 1, bias, residual and what copied
 * edges add included (as in {@link errorBound}).
 */
export function winogradErrorBound(
  problem: ConvProblem,
  direction: "forward" | "inputGradient" | "weightGradient",
  operands: PassOperands,
  tile: 2 | 4,
): Float64Array {
  requireOperands(problem, direction, operands);
  require(tile === 2 || (tile as unknown) === 4, () => `tile is ${show(tile)}; expected 2 or 4`);
  requireWord("direction", direction, ["forward", "inputGradient", "weightGradient"]);
  const { kernel, stride, rank } = problem;
  require(rank === 2 && [3, 5].includes(kernel[2]) && kernel[1] === kernel[2] && String(stride) === "1,1,1", () => {
    return `the problem has kernel ${show(kernel.slice(-rank))} and stride ${show(stride.slice(-rank))}; expected 3 x 3 or 5 x 5 and 1`;
  });
  const matrices = transformsOf(tile, kernel[2]);
  if (direction === "weightGradient") return weightGradientBound(problem, operands, matrices);
  const gathered = (direction === "forward" ? gatherForward : gatherInputGradient)(problem, operands);
  const { sourceChannels, resultChannels, resultSize, toLayout } = gathered;
  const [height, width] = resultSize;
  const sums = new Float64Array(problem.batch * problem.groups * resultChannels * height * width);
  for (let group = 0; group < problem.groups; group++) {
    const filters = Array.from({ length: resultChannels * sourceChannels }, (_, i) => {
      const filter = gathered.filterOf(group, Math.floor(i / sourceChannels), i % sourceChannels);
      return transform(matrices.filter, filter);
    });
    for (let sample = 0; sample < problem.batch; sample++) {
      const first = (sample * problem.groups + group) * resultChannels * height * width;
      for (const place of tilesOf(resultSize, gathered.dilation, tile)) {
        addTile(sums, first, gathered, { ...place, sample, group, groups: problem.groups }, filters, matrices);
      }
    }
  }
  const factor = (longestChain(sourceChannels) + TRANSFORM_ROUNDINGS) * UNIT_ROUNDOFF;
  const rest = errorBound(problem, direction, operands);
  return toLayout(sums).map((sum, i) => factor * sum + rest[i]);
}

/** A tile's rows and columns: its neighbours are a dilation from each other, as the filter's taps are. */
interface Tile {
  readonly rows: readonly number[];
  readonly columns: readonly number[];
}

interface TilePlace extends Tile {
  readonly sample: number;
  readonly group: number;
  readonly groups: number;
}

/** The positions of each tile along an axis. The last tile of a phase may reach beyond the end. */
function cut(extent: number, dilation: number, tile: number): number[][] {
  const firsts = Array.from({ length: extent }, (_, i) => i).filter((i) => Math.floor(i / dilation) % tile === 0);
  return firsts.map((first) => Array.from({ length: tile }, (_, i) => first + i * dilation));
}

function tilesOf(
  [height, width]: Gathered["resultSize"],
  [down, across]: Gathered["dilation"],
  tile: number,
): readonly Tile[] {
  const columns = cut(width, across, tile);
  return cut(height, down, tile).flatMap((rows) => columns.map((of) => ({ rows, columns: of })));
}

/** Writes one tile of every result channel of a group. */
function addTile(
  sums: Float64Array,
  first: number,
  gathered: Gathered,
  place: TilePlace,
  filters: readonly Float64Array[],
  matrices: Transforms,
): void {
  const { sourceChannels, resultChannels, resultSize } = gathered;
  const [height, width] = resultSize;
  const [tile, size] = [matrices.result.length, matrices.patch.length];
  const patches = Array.from({ length: sourceChannels }, (_, channel) => {
    return transform(matrices.patch, readPatch(gathered, place, channel, size));
  });
  for (let result = 0; result < resultChannels; result++) {
    const products = new Float64Array(size ** 2);
    patches.forEach((patch, source) => {
      const filter = filters[result * sourceChannels + source];
      patch.forEach((value, i) => (products[i] += value * filter[i]));
    });
    transform(matrices.result, products).forEach((value, i) => {
      const [y, x] = [place.rows[Math.floor(i / tile)], place.columns[i % tile]];
      if (y < height && x < width) sums[first + (result * height + y) * width + x] = value;
    });
  }
}

/** What patches are read from. */
type Patched = Pick<Gathered, "source" | "sourceSize" | "sourceChannels" | "pad" | "dilation">;

function readPatch(
  { source, sourceSize, sourceChannels, pad, dilation }: Patched,
  place: TilePlace,
  channel: number,
  size: number,
): Float64Array {
  const [height, width] = sourceSize;
  const plane = (place.sample * place.groups + place.group) * sourceChannels + channel;
  return Float64Array.from({ length: size * size }, (_, i) => {
    const y = place.rows[0] - pad[0] + Math.floor(i / size) * dilation[0];
    const x = place.columns[0] - pad[1] + (i % size) * dilation[1];
    const inside = y >= 0 && y < height && x >= 0 && x < width;
    return inside ? source[(plane * height + y) * width + x] : 0;
  });
}

/** A weight's gradient is `G^T [sum over tiles of (A dy A^T) * (B^T d B)] G`. */
function weightGradientBound(problem: ConvProblem, operands: PassOperands, matrices: Transforms): Float64Array {
  const { batch, groups, output, inChannelsPerGroup, outChannelsPerGroup } = problem;
  const gathered = gatherForward(problem, operands);
  const view = plainView(problem);
  const gradients: Patched = {
    source: view.yIn(operands.dy ?? []).map(Math.abs),
    sourceSize: [output[1], output[2]],
    sourceChannels: outChannelsPerGroup,
    pad: [0, 0],
    dilation: gathered.dilation,
  };
  const tile = matrices.result.length;
  const size = matrices.patch.length ** 2;
  const sums = new Float64Array(problem.outChannels * inChannelsPerGroup * size);
  let tiles = 0;
  for (let sample = 0; sample < batch; sample++) {
    for (const place of tilesOf([output[1], output[2]], gathered.dilation, tile)) {
      tiles++;
      for (let group = 0; group < groups; group++) {
        addProducts(sums, gathered, gradients, { ...place, sample, group, groups }, matrices);
      }
    }
  }
  const factor = (longestChain(tiles) + TRANSFORM_ROUNDINGS) * UNIT_ROUNDOFF;
  const back = transposed(matrices.filter);
  const weights = Array.from({ length: problem.outChannels * inChannelsPerGroup }, (_, filter) => {
    return transform(back, sums.subarray(filter * size, (filter + 1) * size)).map((sum) => factor * sum);
  });
  return view.wOut(Float64Array.from(weights.flatMap((values) => [...values])));
}

/** Adds the products of one tile, of every pair of output and input channel of a group. */
function addProducts(
  sums: Float64Array,
  gathered: Gathered,
  gradients: Patched,
  place: TilePlace,
  matrices: Transforms,
): void {
  const size = matrices.patch.length ** 2;
  const spread = transposed(matrices.result);
  const patches = Array.from({ length: gathered.sourceChannels }, (_, channel) => {
    return transform(matrices.patch, readPatch(gathered, place, channel, matrices.patch.length));
  });
  for (let out = 0; out < gradients.sourceChannels; out++) {
    const gradient = transform(spread, readPatch(gradients, place, out, matrices.result.length));
    patches.forEach((patch, channel) => {
      const first = ((place.group * gradients.sourceChannels + out) * gathered.sourceChannels + channel) * size;
      patch.forEach((value, i) => (sums[first + i] += value * gradient[i]));
    });
  }
}
