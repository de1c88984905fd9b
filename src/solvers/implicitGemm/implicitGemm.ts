/**
 * Implicit GEMM: the convolution is a matrix product, computed tile by tile in workgroup memory. The matrix of patches
 * (im2col) is never stored: its elements are gathered as they are loaded. Here: forward pass and input gradient.
 *
 *   C[m, n] = sum over k of A[m, k] * B[k, n]
 *
 *                   A             B           M                 N                                K
 *   forward         weight        patches of  output channels   output positions of the batch    (input channel, tap)
 *                                 the input
 *   input gradient  weight        patches of  input channels    input positions, phase by phase  (output channel, tap)
 *                                 dy
 *   weight gradient dy            patches of  output channels   (input channel, tap)             output positions
 *                                 the input                                                      of the batch
 *
 *                             N
 *                    +-----------------+
 *                    |      tileK      |  B: tileK of K at a time in workgroup memory
 *                    +----+----+----+--+
 *          K         |    |    |    |  |  tileN = threadsN * 4 * vectorsPerThread
 *     +----+-----+   +----+----+----+--+
 *     |    |     |   |    | ## |    |  |  tileM = threadsM * mPerThread
 *   M | A  |tileK|   +----+----+----+--+
 *     |    |     |   |    |    |    |  |  C: a workgroup computes a tile; each of its threadsM * threadsN threads holds
 *     +----+-----+   +----+----+----+--+     mPerThread * 4 * vectorsPerThread sums of it in registers
 *
 * For each k a thread reads mPerThread + 4 * vectorsPerThread values from workgroup memory for their product of
 * multiply-adds. For each tile and k the workgroup reads tileM + tileN values from global memory. What each knob costs
 * stands with it (workgroupTile.ts).
 */
import kernel from "../../../shaders/implicit_gemm/implicit_gemm.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import type { ConvOperation } from "../../problem/operation.js";
import { policyOf } from "../../planning/policy.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { borderDispatches } from "../passes/borderInputGradient.js";
import { stepsPerBlock } from "../shared/blocks.js";
import { operandTypes, unsharedRefusal, vectorResults } from "../shared/constants.js";
import { describeGather, type Gather, hasTapBits, liesInVectors, phaseUniforms } from "../shared/gather.js";
import { pixelConstants, pixelUniforms, sourceTypes } from "../shared/pixels.js";
import { resultSplitK, resultSplitKRefusal, resultSums, type ResultTerms } from "../passes/sumSplits.js";
import { type PackedWeights, rowsPacked } from "./packWeights.js";
import { predictTile, type SplitTile, tensorsOf, tileCandidates, type TiledProduct } from "./tileChoice.js";
import {
  heldElement,
  TILE_KNOBS,
  tileConstants,
  tileCount,
  tileDiscouraged,
  tileM,
  tileMultiplyAdds,
  tileN,
  tileRefusal,
  tileSums,
  type TileExtra,
  type WorkgroupTile,
} from "./workgroupTile.js";

/**
 * Of workgroup memory: for each position where its results go, where its source lies, and the bits, or else where its taps begin; where
 * the weights of each channel begin; how far the source and weight of each k of a block lie; and the tile's channels.
 */
const [RESULT_BYTES, SOURCE_BYTES, ORIGIN_BYTES, CHANNEL_BYTES, STEP_BYTES, TILE_BYTES] = [4, 8, 16, 4, 12, 16];

/** K of a block. */
const blockK = ({ tileK }: WorkgroupTile): number => tileK * stepsPerBlock(tileK);

/** Whether bits say which taps meet the source. */
const tapsInBits = ({ problem }: ConvOperation, { transposed, phaseTaps }: Gather): boolean =>
  hasTapBits(transposed ? "zeros" : problem.paddingMode, phaseTaps);

function extraOf(operation: ConvOperation, capabilities: Capabilities) {
  const { heldBytes } = heldElement(operation, capabilities);
  const originBytes = tapsInBits(operation, describeGather(operation)) ? 0 : ORIGIN_BYTES;
  const positionBytes = RESULT_BYTES + SOURCE_BYTES + originBytes;
  return (tile: WorkgroupTile): TileExtra => ({
    tableBytes: positionBytes * tileN(tile) + CHANNEL_BYTES * tileM(tile) + STEP_BYTES * blockK(tile) + TILE_BYTES,
    heldBytes,
  });
}

/** Whether taps of a channel are neighbours along K: forward, weights lie so; transposed, either would do. */
const isTapFastest = ({ transposed, uniforms: { weightStrides } }: Gather): boolean =>
  transposed || weightStrides[2] < weightStrides[1];

/** Weights by the vector: forward, K is one row of them. */
const packedRows = (operation: ConvOperation, gather: Gather, capabilities: Capabilities): PackedWeights | undefined =>
  gather.transposed ? undefined : rowsPacked(operation, gather, capabilities);

/** The sums of a tile. */
function termsOf({ problem }: ConvOperation, gather: Gather, tile: WorkgroupTile): ResultTerms {
  const { phaseCount, resultChannels, n, k } = gather;
  const tasks = phaseCount * problem.groups * tileCount(tile, resultChannels, n);
  return { tasks, k, unit: tile.tileK, blockK: blockK(tile), sums: tileSums(tile) };
}

/** Of a thread, for a vector that it loads: four steps added and four tests of bits, and its part of a step's table. */
const LOAD_INSTRUCTIONS = 25;

function productOf(operation: ConvOperation, gather: Gather, capabilities: Capabilities): TiledProduct {
  const { resultChannels: m, n, k, phaseCount } = gather;
  const { splitLeastK: leastK } = policyOf(capabilities);
  const extra = extraOf(operation, capabilities);
  const kIn = (step: number): number => step * Math.ceil(k / step);
  const copies = phaseCount * operation.problem.groups;
  return { m, n, k, copies, ...tensorsOf(operation), leastK, kIn, extra, loadInstructions: LOAD_INSTRUCTIONS };
}

export const implicitGemm: Solver<SplitTile> = {
  name: "implicit-gemm",
  directions: ["forward", "inputGradient"],
  readsPixels: true,
  readsHalves: true,
  usesWorkgroupMemory: true,
  knobs: { ...TILE_KNOBS, splitK: false },

  configs(operation, capabilities) {
    const gather = describeGather(operation);
    return tileCandidates(
      productOf(operation, gather, capabilities),
      capabilities,
      (tile) => resultSplitK(operation, termsOf(operation, gather, tile), capabilities) > 1,
    );
  },

  predictClocks: (operation, capabilities, config) =>
    predictTile(productOf(operation, describeGather(operation), capabilities), capabilities, config),

  discouraged(operation, capabilities) {
    return tileDiscouraged(describeGather(operation).resultChannels, policyOf(capabilities));
  },

  plan(operation, capabilities, config) {
    const extra = extraOf(operation, capabilities)(config);
    const unable = unsharedRefusal(operation.problem) ?? tileRefusal(config, capabilities, extra);
    if (unable !== undefined) return { refused: unable };
    const gather = describeGather(operation);
    const terms = termsOf(operation, gather, config);
    const { splitK = resultSplitK(operation, terms, capabilities) } = config;
    const refused = resultSplitKRefusal(operation, splitK, capabilities);
    if (refused !== undefined) return { refused };
    const sums = resultSums(operation, gather, terms, splitK, capabilities);
    const tasks = sums.splitK * terms.tasks;
    const inVectors = gather.phaseCount === 1 && liesInVectors(gather, gather.phasePositions);
    const packsVectors = sums.packs === "vectors" && inVectors;
    const vectors = vectorResults(sums.types.Result, inVectors, {
      halves: operation.halves === true,
      packs: packsVectors,
    });
    const packed = packedRows(operation, gather, capabilities);
    const step = dispatch(kernel, {
      constants: {
        ...gather.constants,
        ...pixelConstants(operation),
        ...tileConstants(config, extra),
        TAP_FASTEST: isTapFastest(gather),
        RAGGED: gather.k % config.tileK !== 0,
        TAP_BITS: tapsInBits(operation, gather),
        PACKED_WEIGHTS: packed !== undefined,
        AHEAD: config.ahead !== 0,
        TILE_POSITIONS: tileN(config),
        CHANNEL_VECTORS: false,
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
        ...gather.uniforms,
        ...pixelUniforms(operation),
        ...phaseUniforms(gather),
        groups: operation.problem.groups,
        k: gather.k,
        packedStrides: packed?.strides.slice(0, 2) ?? [0, 0],
        kPerSplit: sums.perSplit,
        resultElements: sums.resultElements,
        tilesM: Math.ceil(gather.resultChannels / tileM(config)),
        tilesN: Math.ceil(gather.n / tileN(config)),
        tasks,
      },
      bindings: {
        ...gather.bindings,
        ...sums.bindings,
        weight: packed === undefined ? gather.bindings.weight : "unused",
        weightVectors: packed?.binding ?? "unused",
      },
      workgroups: foldWorkgroups(tasks, capabilities),
      multiplyAdds:
        gather.phaseCount *
        operation.problem.groups *
        tileMultiplyAdds(config, gather.resultChannels, gather.n, gather.k),
    });
    return {
      dispatches: [
        ...(packed?.dispatches ?? []),
        step,
        ...sums.reduction,
        ...borderDispatches(operation, capabilities),
      ],
      scratchBytes: { ...packed?.scratchBytes, ...sums.scratchBytes },
      packsResults: packsVectors || sums.packs === "always",
    };
  },
};
