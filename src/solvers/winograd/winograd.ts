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
 * and their sums are transformed to results. F(2x2, 3x3) takes 16 multiply-adds where 36 are due, F(4x4, 3x3) 36 where 144
 * are, F(2x2, 5x5) 36 where 100 are. In exchange rounding errors grow with the patch: webgpu-conv/reference's
 * `winogradErrorBound` says how far. An infinity or NaN in a source spreads to all results of its tile.
 */
import type { Capabilities } from "../../planning/capabilities.js";
import { policyOf } from "../../planning/policy.js";
import { type ConvOperation, NOTHING_FUSED } from "../../problem/operation.js";
import { makeProblem } from "../../problem/problem.js";
import { isRefusal, listed, type Refusal, type Solver, type Steps } from "../../planning/solver.js";
import { borderDispatches } from "../passes/borderInputGradient.js";
import { tapGemm } from "../implicitGemm/tapGemm.js";
import { registerTile } from "../registerTile/registerTile.js";
import { vectorTile } from "../vectorTile/vectorTile.js";
import {
  BYTES,
  describeTiling,
  isExact,
  neededMultiplyAdds,
  rebind,
  shapeRefusal,
  tileConfigs,
  tilesDiscouraged,
  type Tiling,
  WINOGRAD_KNOBS,
  type WinogradConfig,
} from "./winogradTiling.js";
import { unsharedRefusal } from "../shared/constants.js";
import { describeGather } from "../shared/gather.js";
import { filterDispatch } from "./winogradFilter.js";
import { resultDispatch } from "./winogradResult.js";
import { sourceDispatch } from "./winogradSource.js";

export const winograd: Solver<WinogradConfig> = {
  name: "winograd",
  directions: ["forward", "inputGradient"],
  knobs: WINOGRAD_KNOBS,
  configs: (operation, capabilities) =>
    tileConfigs(operation, (tile) => describeTiling(operation, tile), policyOf(capabilities)),
  isExact,

  discouraged(operation, capabilities) {
    const { sourceChannels, resultChannels } = describeGather(operation);
    const fewest = Math.min(sourceChannels, resultChannels);
    const tilingOf = (tile: number): Tiling => describeTiling(operation, tile);
    return tilesDiscouraged(operation, fewest, tilingOf, "filters", policyOf(capabilities));
  },

  plan(operation, capabilities, config) {
    const refused = unsharedRefusal(operation.problem) ?? shapeRefusal(operation, config);
    if (refused !== undefined) return { refused };
    const tiling = describeTiling(operation, config.tile);
    const scratchBytes = {
      "winograd sources": BYTES * tiling.products * tiling.sourceChannels * tiling.pitch,
      "winograd filters": BYTES * tiling.products * tiling.resultChannels * tiling.gather.sourceChannels,
      "winograd sums": BYTES * tiling.products * tiling.resultChannels * tiling.pitch,
    };
    const product = planProduct(operation, tiling, capabilities);
    if (isRefusal(product)) return product;
    const dispatches = [
      filterDispatch(operation, tiling, config, capabilities),
      sourceDispatch(operation, tiling, config, capabilities),
      ...product.dispatches,
      resultDispatch(operation, tiling, config, capabilities),
      ...borderDispatches(operation, capabilities),
    ];
    return {
      dispatches,
      scratchBytes: { ...scratchBytes, ...product.scratchBytes },
      neededMultiplyAdds: neededMultiplyAdds(operation, tiling, config),
    };
  },
};

/** The products of all patches and filters: a 1x1 convolution with a group for each. */
function planProduct(operation: ConvOperation, tiling: Tiling, capabilities: Capabilities): Steps | Refusal {
  const groups = tiling.products * operation.problem.groups;
  const inputShape = [1, tiling.products * tiling.sourceChannels, tiling.pitch];
  const weightShape = [tiling.products * tiling.resultChannels, tiling.gather.sourceChannels, 1];
  const problem = makeProblem(1, inputShape, weightShape, { groups });
  const product: ConvOperation = { ...NOTHING_FUSED, direction: "forward", problem, dtype: "float32" };
  const preferred = [listed(tapGemm), listed(vectorTile)];
  const able = preferred.find((solver) => solver.discouraged?.(product, capabilities) === undefined);
  const solver = able ?? listed(registerTile);
  const [config] = solver.configs(product, capabilities);
  const plan = solver.plan(product, capabilities, config);
  if (isRefusal(plan)) return plan;
  const places = { x: "winograd sources", w: "winograd filters", y: "winograd sums" } as const;
  return { ...plan, dispatches: rebind(plan, places) };
}
