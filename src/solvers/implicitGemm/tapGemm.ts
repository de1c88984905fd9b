/**
 * Tap GEMM: implicit GEMM (implicitGemm.ts has a picture) whose K goes tap by tap. Forward pass and input gradient.
 *
 *   C[m, n] = sum over taps t, then over source channels c, of A[m, (t, c)] * B[(t, c), n]
 *
 * Where positions read the source is computed when a tap begins. The next channel lies one stride further, so that the inner loop
 * divides nothing and tests no bounds. An input gradient takes for each phase of its results the taps of this phase alone, and a
 * phase without taps multiplies nothing. Each tap takes whole tiles of K: channels should be many, or a multiple of tileK.
 * Weights are packed with the source channels of a tap together (packWeights.ts), once for all calls with the same weights.
 *
 * Where the channels of a position lie together, the product is transposed: M are positions then, and N result channels. So what
 * threads load and store at once are channels.
 */
import kernel from "../../../shaders/implicit_gemm/tap_gemm.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import type { ConvOperation } from "../../problem/operation.js";
import { isPointwise } from "../../problem/pointwise.js";
import { policyOf } from "../../planning/policy.js";
import { dispatch, foldWorkgroups, type Solver, without } from "../../planning/solver.js";
import { borderDispatches } from "../passes/borderInputGradient.js";
import { resultSplitK, resultSplitKRefusal, resultSums, type ResultTerms } from "../passes/sumSplits.js";
import { stepsPerBlock } from "../shared/blocks.js";
import { operandTypes, unsharedRefusal, vectorResults } from "../shared/constants.js";
import { describeGather, type Gather, liesInVectors, phaseUniforms } from "../shared/gather.js";
import { sourceTypes } from "../shared/pixels.js";
import { predictTile, type SplitTile, tensorsOf, tileCandidates, type TiledProduct } from "./tileChoice.js";
import { resultsPacked, tapsPacked } from "./packWeights.js";
import {
  heldElement,
  keepsPlaces,
  TILE_KNOBS,
  tileN,
  tileConstants,
  tileCount,
  tileDiscouraged,
  tileMultiplyAdds,
  tileRefusal,
  tileM,
  tileSums,
  type TileExtra,
  type WorkgroupTile,
} from "./workgroupTile.js";

/** Whether the product is transposed: M positions, N channels. */
const isTransposed = ({ problem }: ConvOperation): boolean => problem.layout === "channels-last";

/** M and N of a group and phase. */
function extentsOf(
  operation: ConvOperation,
  { resultChannels, n }: Gather,
): { readonly m: number; readonly n: number } {
  return isTransposed(operation) ? { m: n, n: resultChannels } : { m: resultChannels, n };
}

/** Whether four neighbours are one aligned vector of the source: channels of a position, or positions of a plain 1x1 layer. */
function vectorSource(operation: ConvOperation, { sourceChannels, uniforms }: Gather): boolean {
  const [batch, , position] = uniforms.sourceStrides;
  return isTransposed(operation)
    ? [batch, position, sourceChannels].every((count) => count % 4 === 0)
    : isPointwise(operation.problem) && operation.problem.inputPositions % 4 === 0;
}

/** Whether the result channels of a position lie in whole, aligned vectors; or else the positions of a channel. */
function vectorResult(operation: ConvOperation, gather: Gather): boolean {
  const [batch, , position] = gather.uniforms.resultStrides;
  return isTransposed(operation)
    ? [batch, position, gather.resultChannels].every((count) => count % 4 === 0)
    : gather.phaseCount === 1 && liesInVectors(gather, gather.phasePositions);
}

/** Of workgroup memory, for each position of a tile: where its taps begin, where it reads the source, where its results go. */
const POSITION_BYTES = 24;
/** Likewise for each channel: where its weights begin. */
const CHANNEL_BYTES = 4;
/** Likewise once: the tile's channels, the taps of its phase. */
const TILE_BYTES = 16;

const extraOf =
  (operation: ConvOperation, capabilities: Capabilities) =>
  (tile: WorkgroupTile): TileExtra => {
    const sizes = [tileM(tile), tileN(tile)];
    const [channels, positions] = isTransposed(operation) ? sizes.reverse() : sizes;
    return {
      tableBytes: CHANNEL_BYTES * channels + POSITION_BYTES * positions + TILE_BYTES,
      heldBytes: heldElement(operation, capabilities).heldBytes,
    };
  };

/** Tiles of K that the channels of a tap take. */
const tapTiles = ({ sourceChannels }: Gather, { tileK }: WorkgroupTile): number => Math.ceil(sourceChannels / tileK);

/** The sums of a tile: K in whole tiles, for the phase with the most taps. */
function termsOf(operation: ConvOperation, gather: Gather, tile: WorkgroupTile): ResultTerms {
  const { m, n } = extentsOf(operation, gather);
  const tasks = gather.phaseCount * operation.problem.groups * tileCount(tile, m, n);
  const unit = tile.tileK;
  const k = (gather.k / gather.sourceChannels) * tapTiles(gather, tile) * unit;
  return { tasks, k, unit, blockK: unit * stepsPerBlock(unit), sums: tileSums(tile) };
}

/** Multiply-adds of a group. Each tap is of one phase. */
function executed(operation: ConvOperation, gather: Gather, tile: WorkgroupTile) {
  const { m, n } = extentsOf(operation, gather);
  return operation.problem.taps * tileMultiplyAdds(tile, m, n, gather.sourceChannels);
}

/** Of a thread, for a vector that it loads: tile and tap are the same, and an add leads on. */
const LOAD_INSTRUCTIONS = 10;

/** The product that it computes. */
export function gatherProduct(operation: ConvOperation, gather: Gather, capabilities: Capabilities): TiledProduct {
  const { problem } = operation;
  const { k, phaseCount, sourceChannels } = gather;
  const { splitLeastK: leastK } = policyOf(capabilities);
  const taps = problem.taps / phaseCount;
  const kIn = (step: number): number => taps * step * Math.ceil(sourceChannels / step);
  const copies = phaseCount * problem.groups;
  const product = { ...extentsOf(operation, gather), k, copies, ...tensorsOf(operation), leastK, kIn };
  const [extra, transposed] = [extraOf(operation, capabilities), isTransposed(operation)];
  return { ...product, extra, loadInstructions: LOAD_INSTRUCTIONS, isTransposed: transposed };
}

export const tapGemm: Solver<SplitTile> = {
  name: "tap-gemm",
  directions: ["forward", "inputGradient"],
  readsHalves: true,
  usesWorkgroupMemory: true,
  knobs: { ...TILE_KNOBS, splitK: false },

  configs(operation, capabilities) {
    const gather = describeGather(operation);
    return tileCandidates(
      gatherProduct(operation, gather, capabilities),
      capabilities,
      (tile) => resultSplitK(operation, termsOf(operation, gather, tile), capabilities) > 1,
    );
  },

  predictClocks: (operation, capabilities, config) =>
    predictTile(gatherProduct(operation, describeGather(operation), capabilities), capabilities, config),

  discouraged(operation, capabilities) {
    const { resultChannels, sourceChannels } = describeGather(operation);
    return tileDiscouraged(Math.min(resultChannels, sourceChannels), policyOf(capabilities));
  },

  plan(operation, capabilities, config) {
    const gather = describeGather(operation);
    const extra = extraOf(operation, capabilities)(config);
    const unable = unsharedRefusal(operation.problem) ?? tileRefusal(config, capabilities, extra);
    if (unable !== undefined) return { refused: unable };
    const terms = termsOf(operation, gather, config);
    const { splitK = resultSplitK(operation, terms, capabilities) } = config;
    const refused = resultSplitKRefusal(operation, splitK, capabilities);
    if (refused !== undefined) return { refused };
    const sums = resultSums(operation, gather, terms, splitK, capabilities);
    const channelVectors = isTransposed(operation);
    const weights = (channelVectors ? resultsPacked : tapsPacked)(operation, gather, capabilities);
    const tasks = sums.splitK * terms.tasks;
    const inVectors = vectorResult(operation, gather);
    const packsVectors = sums.packs === "vectors" && inVectors;
    const form = { ofChannels: channelVectors, halves: operation.halves === true, packs: packsVectors };
    const vectors = vectorResults(sums.types.Result, inVectors, form);
    const sourceInVectors = vectorSource(operation, gather);
    const { m, n } = extentsOf(operation, gather);
    const [tilesM, tilesN] = [Math.ceil(m / tileM(config)), Math.ceil(n / tileN(config))];
    const step = dispatch(kernel, {
      constants: {
        ...gather.constants,
        ...tileConstants(config, extra),
        AHEAD: config.ahead !== 0,
        KEEPS_PLACES: keepsPlaces(capabilities),
        RAGGED: gather.sourceChannels % config.tileK !== 0,
        VECTOR_SOURCE: sourceInVectors,
        POINTWISE: isPointwise(operation.problem) && (channelVectors || sourceInVectors),
        CHANNEL_VECTORS: channelVectors,
        TILE_POSITIONS: channelVectors ? tileM(config) : tileN(config),
        ...sums.constants,
        ...vectors.constants,
      },
      types: {
        ...operandTypes(operation),
        ...sourceTypes(operation),
        ...vectors.types,
        Held: heldElement(operation, capabilities).Held,
      },
      uniforms: {
        ...without(gather.uniforms, "weightStrides", "weightGroupStride"),
        ...phaseUniforms(gather),
        groups: operation.problem.groups,
        tapTiles: tapTiles(gather, config),
        packedStrides: weights.strides,
        packedChannels: weights.k,
        tilesPerSplit: sums.perSplit / config.tileK,
        resultElements: sums.resultElements,
        channelTiles: channelVectors ? tilesN : tilesM,
        positionTiles: channelVectors ? tilesM : tilesN,
        tasks,
      },
      bindings: {
        ...without(gather.bindings, "weight"),
        ...sums.bindings,
        weightVectors: weights.binding,
        // Bound as vectors, a buffer of less than one is too small.
        sourceVectors: sourceInVectors ? gather.bindings.source : "unused",
        activatedVectors: sourceInVectors && operation.masked ? gather.bindings.activated : "unused",
      },
      workgroups: foldWorkgroups(tasks, capabilities),
      multiplyAdds: operation.problem.groups * executed(operation, gather, config),
    });
    return {
      dispatches: [...weights.dispatches, step, ...sums.reduction, ...borderDispatches(operation, capabilities)],
      scratchBytes: { ...weights.scratchBytes, ...sums.scratchBytes },
      packsResults: packsVectors || sums.packs === "always",
    };
  },
};
