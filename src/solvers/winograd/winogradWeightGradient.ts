/**
 * Winograd's minimal filtering for the weight gradient of 3x3 and 5x5 filters at stride 1 (Lavin and Gray, 2016): the forward
 * pass is linear in the transformed filter, so its gradient is a product of transformed patches and tiles of dy, summed
 * over tiles, and transformed back. That product is the weight gradient of a 1x1 layer with a group for each. Tiles go in chunks, which
 * take turns in scratch memory; what they make is added in their order.
 */
import type { Capabilities } from "../../planning/capabilities.js";
import { type ConvOperation, elementsOf, NOTHING_FUSED } from "../../problem/operation.js";
import { makeProblem } from "../../problem/problem.js";
import { type Dispatch, isRefusal, listed, type Solver, type Steps, without } from "../../planning/solver.js";
import { channelSum } from "../channelSum/channelSum.js";
import { implicitGemmWeightGradient, weightGradientProduct } from "../implicitGemm/implicitGemmWeightGradient.js";
import { rankedTiles } from "../implicitGemm/tileChoice.js";
import { registerTileWeightGradient } from "../registerTile/registerTileWeightGradient.js";
import { partialBytes } from "../shared/splits.js";
import { planProduct, winogradConfigs, winogradDiscouraged, type WinogradPass } from "./winogradChoice.js";
import {
  BYTES,
  chunkRefusal,
  cutTiles,
  describeTiling,
  filterBytes,
  isExact,
  neededMultiplyAdds,
  rebind,
  shapeRefusal,
  type Tiling,
  WINOGRAD_KNOBS,
  type WinogradConfig,
} from "./winogradTiling.js";
import { unsharedRefusal } from "../shared/constants.js";
import { filterGradientDispatch } from "./winogradFilterGradient.js";
import { gradientDispatch, sourceDispatch } from "./winogradSource.js";
import { sumChunkDispatch } from "./winogradSumChunks.js";

/** The forward pass that x is read for. */
function forwardOf(operation: ConvOperation): ConvOperation {
  return { ...operation, ...NOTHING_FUSED, direction: "forward" };
}

/** The forward pass in tiles. They are K of the product, so they lie without gaps, and no lane is left empty. */
function tilingOf(operation: ConvOperation, tile: number): Tiling {
  const tiling = describeTiling(forwardOf(operation), tile);
  return { ...tiling, lanes: tiling.tiles, sumsInParts: true };
}

const PASS: WinogradPass = {
  tilingOf,
  productOf,
  ranked: (operation, capabilities, known) =>
    implicitGemmWeightGradient.discouraged?.(operation, capabilities) === undefined
      ? rankedTiles({ ...weightGradientProduct(operation, capabilities), ...known }, capabilities)
      : [],
  transforms: (operation, { sourceChannels, resultChannels }) => [
    { channels: sourceChannels, elements: elementsOf(operation, ["x"]) },
    { channels: resultChannels, elements: elementsOf(operation, operation.masked ? ["y", "activated"] : ["y"]) },
  ],
  gemm: listed(implicitGemmWeightGradient),
  others: [listed(registerTileWeightGradient)],
  places: { x: "winograd sources", y: "winograd sums", w: "winograd filters" },
  filters: "filters back",
};

export const winogradWeightGradient: Solver<Omit<WinogradConfig, "threads" | "placesPerThread">> = {
  name: "winograd",
  directions: ["weightGradient"],
  knobs: without(WINOGRAD_KNOBS, "threads", "placesPerThread"),
  configs: (operation, capabilities) => winogradConfigs(PASS, operation, capabilities),
  isExact,

  discouraged(operation, capabilities) {
    const { inChannelsPerGroup, outChannelsPerGroup } = operation.problem;
    return winogradDiscouraged(PASS, operation, Math.min(inChannelsPerGroup, outChannelsPerGroup), capabilities);
  },

  plan(operation, capabilities, config) {
    const refused = unsharedRefusal(operation.problem) ?? shapeRefusal(operation, config);
    if (refused !== undefined) return { refused };
    const tiling = tilingOf(operation, config.tile);
    const unable = chunkRefusal(tiling, config);
    if (unable !== undefined) return { refused: unable };
    const { chunkTiles, chunks } = cutTiles(tiling, config, capabilities);
    const steps = planProduct(PASS, operation, tiling, chunkTiles, config, capabilities);
    if (isRefusal(steps)) return steps;
    const product: ChunkProduct =
      chunks.length > 1 ? accumulated(steps, tiling, capabilities) : { ...steps, sumsOf: () => [] };
    const bias = operation.bias
      ? channelSum.plan({ ...operation, direction: "biasGradient" }, capabilities, {})
      : product;
    if (isRefusal(bias)) return bias;
    const { products, sourceChannels, resultChannels } = tiling;
    const partials = Math.max(product.scratchBytes.partials ?? 0, bias.scratchBytes.partials ?? 0);
    const scratchBytes = {
      "winograd sources": BYTES * products * sourceChannels * chunkTiles,
      "winograd sums": BYTES * products * resultChannels * chunkTiles,
      "winograd filters": filterBytes(tiling),
      ...(partials > 0 && { partials }),
    };
    const dispatches = [
      ...chunks.flatMap(({ firstTile }, i) => {
        // K of the product is as long in all chunks.
        const chunk = { firstTile, tiles: chunkTiles };
        return [
          sourceDispatch(forwardOf(operation), tiling, config, chunk, chunkTiles, capabilities),
          gradientDispatch(operation, tiling, config, chunk, chunkTiles, capabilities),
          ...product.dispatches,
          ...product.sumsOf(i),
        ];
      }),
      filterGradientDispatch(operation, tiling, config, capabilities),
      ...(operation.bias ? bias.dispatches : []),
    ];
    return { dispatches, scratchBytes, neededMultiplyAdds: neededMultiplyAdds(operation, tiling, config) };
  },
};

/** The products of some patches and tiles of dy: the weight gradient of a 1x1 convolution with a group for each element of a patch. */
function productOf(operation: ConvOperation, tiling: Tiling, tiles: number): ConvOperation {
  const { products, sourceChannels, resultChannels, gather } = tiling;
  const groups = products * operation.problem.groups;
  const weightShape = [products * resultChannels, gather.sourceChannels, 1];
  const problem = makeProblem(1, [1, products * sourceChannels, tiles], weightShape, { groups });
  return { ...NOTHING_FUSED, direction: "weightGradient", problem, dtype: "float32" };
}

/** The product of a chunk. */
interface ChunkProduct extends Steps {
  /** What adds it to those of earlier chunks. */
  readonly sumsOf: (chunk: number) => readonly Dispatch[];
}

/** Each chunk's first stage leaves parts of its sums, one at least; a second stage adds them to what earlier chunks made. */
function accumulated(
  product: Steps,
  { products, resultChannels, gather }: Tiling,
  capabilities: Capabilities,
): ChunkProduct {
  const elements = products * resultChannels * gather.sourceChannels;
  const one = partialBytes(1, elements);
  const { partials = one } = product.scratchBytes;
  const first = { ...product, dispatches: product.dispatches.slice(0, 1) };
  return {
    dispatches: rebind(first, { "winograd filters": "partials" }),
    scratchBytes: { partials },
    sumsOf: (chunk) => [sumChunkDispatch(elements, partials / one, chunk > 0, capabilities)],
  };
}
