/**
 * Winograd's minimal filtering for 3x3 and 5x5 filters at stride 1, dilated too. Here: forward pass and input gradient,
 * which is a forward pass with the filter flipped. shaders/common/winograd.wgsl has the formula and its source.
 *
 *    sources              transformed             products                results
 *   +---------+
 *   |  patch  | - B^T d B -> P * P values +
 *   |  P x P  |                           +-> P * P matrix products - A^T m A -> tile * tile results
 *   +---------+                           |   of M result channels, N tiles,
 *     filter    - G g G^T -> P * P values +   K source channels
 *                                                                 P = tile + kernel - 1
 *
 * Not fused: patches and filters are transformed to memory, the products are a grouped 1x1 convolution by another solver,
 * and their sums are transformed to results. On GPUs that is tap GEMM or scalar tiles, whichever is predicted to be quicker; filters are
 * written as it reads them. Tiles go in chunks, which take turns in scratch memory of a bounded size: it stays in a
 * GPU's last cache where that is large. Filters are transformed once for all chunks. F(2x2, 3x3) takes 16 multiply-adds where 36 are due, F(4x4, 3x3) 36 where 144
 * are, F(2x2, 5x5) 36 where 100 are. In exchange rounding errors grow with the patch: webgpu-conv/reference's
 * `winogradErrorBound` says how far. An infinity or NaN in a source spreads to all results of its tile.
 */
import { type ConvOperation, elementsOf, NOTHING_FUSED, operandRoles, resultRoles } from "../../problem/operation.js";
import { makeProblem } from "../../problem/problem.js";
import { type Dispatch, isRefusal, listed, type Solver } from "../../planning/solver.js";
import type { ColumnTile } from "../scalarTile/packColumns.js";
import { borderDispatches } from "../passes/borderInputGradient.js";
import { gatherProduct, tapGemm } from "../implicitGemm/tapGemm.js";
import { rankedTiles } from "../implicitGemm/tileChoice.js";
import { rankedScalarTiles, scalarUnfit, type ScalarTileConfig } from "../scalarTile/scalarChoice.js";
import { columnTile, scalarProduct, scalarTile } from "../scalarTile/scalarTile.js";
import { registerTile } from "../registerTile/registerTile.js";
import { vectorTile } from "../vectorTile/vectorTile.js";
import { planProduct, winogradConfigs, winogradDiscouraged, type WinogradPass } from "./winogradChoice.js";
import {
  BYTES,
  chunkRefusal,
  cutTiles,
  describeTiling,
  inVectors,
  isExact,
  isScalar,
  neededMultiplyAdds,
  type ProductConfig,
  shapeRefusal,
  type Tiling,
  WINOGRAD_KNOBS,
  type WinogradConfig,
} from "./winogradTiling.js";
import { unsharedRefusal } from "../shared/constants.js";
import { describeGather } from "../shared/gather.js";
import { transformedFilters } from "./winogradFilter.js";
import { resultDispatch } from "./winogradResult.js";
import { sourceDispatch } from "./winogradSource.js";

const PASS: WinogradPass = {
  tilingOf: describeTiling,
  productOf,
  ranked(operation, capabilities, known) {
    const gather = describeGather(operation);
    const tiles =
      tapGemm.discouraged?.(operation, capabilities) === undefined
        ? rankedTiles({ ...gatherProduct(operation, gather, capabilities), ...known }, capabilities)
        : [];
    const scalarTiles =
      scalarUnfit(operation, gather, capabilities) === undefined
        ? rankedScalarTiles(operation, gather, capabilities, known)
        : [];
    return [...tiles, ...scalarTiles].sort((one, other) => one.clocks - other.clocks);
  },
  transforms: (operation, { sourceChannels, resultChannels }) => [
    {
      channels: sourceChannels,
      elements: elementsOf(
        operation,
        operandRoles(operation).filter((role) => role !== "w"),
      ),
    },
    { channels: resultChannels, elements: elementsOf(operation, resultRoles(operation)) },
  ],
  gemm: listed(tapGemm),
  scalar: listed({
    ...scalarTile,
    plan: (operation, capabilities, config) => scalarProduct(operation, capabilities, config, "w"),
  }),
  others: [listed(vectorTile), listed(registerTile)],
  places: { x: "winograd sources", w: "winograd filters", y: "winograd sums" },
  filters: "filters",
};

export const winograd: Solver<WinogradConfig> = {
  name: "winograd",
  directions: ["forward", "inputGradient"],
  knobs: WINOGRAD_KNOBS,
  configs: (operation, capabilities) => winogradConfigs(PASS, operation, capabilities),
  isExact,

  discouraged(operation, capabilities) {
    const { sourceChannels, resultChannels } = describeGather(operation);
    return winogradDiscouraged(PASS, operation, Math.min(sourceChannels, resultChannels), capabilities);
  },

  plan(operation, capabilities, config) {
    const refused = unsharedRefusal(operation.problem) ?? shapeRefusal(operation, config);
    if (refused !== undefined) return { refused };
    const tiling = describeTiling(operation, config.tile);
    const unable = chunkRefusal(tiling, config);
    if (unable !== undefined) return { refused: unable };
    const { chunkTiles, chunks } = cutTiles(tiling, config, capabilities);
    const pitch = inVectors(chunkTiles);
    const product = planProduct(PASS, operation, tiling, chunkTiles, config, capabilities);
    if (isRefusal(product)) return product;
    const { products, sourceChannels, resultChannels } = tiling;
    const filters = transformedFilters(operation, tiling, config, filterTile(product.tile), capabilities);
    const scratchBytes = {
      "winograd sources": BYTES * products * sourceChannels * pitch,
      "winograd filters": filters.bytes,
      "winograd sums": BYTES * products * resultChannels * pitch,
    };
    // Chunks have the same product. What it does with the filters alone is done once.
    const isOfChunk = ({ bindings }: Dispatch): boolean =>
      Object.values(bindings).some((source) => source === "winograd sources" || source === "winograd sums");
    const dispatches = [
      filters.dispatch,
      ...product.dispatches.filter((step) => !isOfChunk(step)),
      ...chunks.flatMap((chunk) => [
        sourceDispatch(operation, tiling, config, chunk, pitch, capabilities),
        ...product.dispatches.filter(isOfChunk),
        resultDispatch(operation, tiling, config, chunk, pitch, capabilities),
      ]),
      ...borderDispatches(operation, capabilities),
    ];
    return {
      dispatches,
      scratchBytes: { ...scratchBytes, ...product.scratchBytes },
      neededMultiplyAdds: neededMultiplyAdds(operation, tiling, config),
    };
  },
};

/** How filters lie for the product: as a scalar tile reads them, or row by row. */
const filterTile = (tile: ProductConfig): ColumnTile =>
  isScalar(tile) ? columnTile(tile as ScalarTileConfig) : { tileM: 1, unit: 1 };

/** The products of some patches and all filters: a 1x1 convolution with a group for each element of a patch. */
function productOf(operation: ConvOperation, tiling: Tiling, tiles: number): ConvOperation {
  const groups = tiling.products * operation.problem.groups;
  const inputShape = [1, tiling.products * tiling.sourceChannels, inVectors(tiles)];
  const weightShape = [tiling.products * tiling.resultChannels, tiling.gather.sourceChannels, 1];
  const problem = makeProblem(1, inputShape, weightShape, { groups });
  return { ...NOTHING_FUSED, direction: "forward", problem, dtype: "float32" };
}
