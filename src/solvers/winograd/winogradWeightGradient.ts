/**
 * Winograd's minimal filtering for the weight gradient of 3x3 and 5x5 filters at stride 1 (Lavin and Gray, 2016): the forward
 * pass is linear in the transformed filter, so its gradient is a product of transformed patches and tiles of dy, summed
 * over tiles, and transformed back. That product is the weight gradient of a 1x1 layer with a group for each.
 */
import type { Capabilities } from "../../planning/capabilities.js";
import { policyOf } from "../../planning/policy.js";
import { type ConvOperation, NOTHING_FUSED } from "../../problem/operation.js";
import { makeProblem } from "../../problem/problem.js";
import { isRefusal, listed, type Refusal, type Solver, type Steps } from "../../planning/solver.js";
import { channelSum } from "../channelSum/channelSum.js";
import { implicitGemmWeightGradient } from "../implicitGemm/implicitGemmWeightGradient.js";
import { registerTileWeightGradient } from "../registerTile/registerTileWeightGradient.js";
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
import { filterGradientDispatch } from "./winogradFilterGradient.js";
import { gradientDispatch, sourceDispatch } from "./winogradSource.js";

/** The forward pass that x is read for. */
function forwardOf(operation: ConvOperation): ConvOperation {
  return { ...operation, ...NOTHING_FUSED, direction: "forward" };
}

/** The forward pass in tiles. They are K of the product, so they lie without gaps, and no lane is left empty. */
function tilingOf(operation: ConvOperation, tile: number): Tiling {
  const tiling = describeTiling(forwardOf(operation), tile);
  return { ...tiling, pitch: tiling.tiles, lanes: tiling.tiles };
}

export const winogradWeightGradient: Solver<WinogradConfig> = {
  name: "winograd",
  directions: ["weightGradient"],
  knobs: WINOGRAD_KNOBS,
  configs: (operation, capabilities) =>
    tileConfigs(operation, (tile) => tilingOf(operation, tile), policyOf(capabilities)),
  isExact,

  discouraged(operation, capabilities) {
    const { inChannelsPerGroup, outChannelsPerGroup } = operation.problem;
    const fewest = Math.min(inChannelsPerGroup, outChannelsPerGroup);
    const tilingFor = (tile: number): Tiling => tilingOf(operation, tile);
    return tilesDiscouraged(operation, fewest, tilingFor, "filters back", policyOf(capabilities));
  },

  plan(operation, capabilities, config) {
    const refused = unsharedRefusal(operation.problem) ?? shapeRefusal(operation, config);
    if (refused !== undefined) return { refused };
    const tiling = tilingOf(operation, config.tile);
    const { products, pitch, sourceChannels, resultChannels, gather } = tiling;
    const product = planProduct(operation, tiling, capabilities);
    if (isRefusal(product)) return product;
    const bias = operation.bias
      ? channelSum.plan({ ...operation, direction: "biasGradient" }, capabilities, {})
      : product;
    if (isRefusal(bias)) return bias;
    const partials = Math.max(product.scratchBytes.partials ?? 0, bias.scratchBytes.partials ?? 0);
    const scratchBytes = {
      "winograd sources": BYTES * products * sourceChannels * pitch,
      "winograd sums": BYTES * products * resultChannels * pitch,
      "winograd filters": BYTES * products * resultChannels * gather.sourceChannels,
      ...(partials > 0 && { partials }),
    };
    const dispatches = [
      sourceDispatch(forwardOf(operation), tiling, config, capabilities),
      gradientDispatch(operation, tiling, config, capabilities),
      ...product.dispatches,
      filterGradientDispatch(operation, tiling, config, capabilities),
      ...(operation.bias ? bias.dispatches : []),
    ];
    return { dispatches, scratchBytes, neededMultiplyAdds: neededMultiplyAdds(operation, tiling, config) };
  },
};

/** The products of all patches and tiles of dy: the weight gradient of a 1x1 convolution with a group for each. */
function planProduct(operation: ConvOperation, tiling: Tiling, capabilities: Capabilities): Steps | Refusal {
  const { products, sourceChannels, resultChannels, gather, tiles } = tiling;
  const groups = products * operation.problem.groups;
  const weightShape = [products * resultChannels, gather.sourceChannels, 1];
  const problem = makeProblem(1, [1, products * sourceChannels, tiles], weightShape, { groups });
  const product: ConvOperation = { ...NOTHING_FUSED, direction: "weightGradient", problem, dtype: "float32" };
  const discouraged = implicitGemmWeightGradient.discouraged?.(product, capabilities);
  const solver = discouraged === undefined ? listed(implicitGemmWeightGradient) : listed(registerTileWeightGradient);
  const [config] = solver.configs(product, capabilities);
  const plan = solver.plan(product, capabilities, config);
  if (isRefusal(plan)) return plan;
  const places = { x: "winograd sources", y: "winograd sums", w: "winograd filters" } as const;
  return { ...plan, dispatches: rebind(plan, places) };
}
