/** Implicit GEMM (implicitGemm.ts): weight gradient. Its long sum is split in two stages. */
import kernel from "../../../shaders/implicit_gemm/implicit_gemm_weight_gradient.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import type { ConvOperation } from "../../problem/operation.js";
import { isPointwise } from "../../problem/pointwise.js";
import type { ConvProblem } from "../../problem/problem.js";
import { policyOf } from "../../planning/policy.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { inRegisters, MOST_TERMS, stepsPerBlock } from "../shared/blocks.js";
import { operandTypes, stepConstants, unsharedRefusal } from "../shared/constants.js";
import { hasTapBits } from "../shared/gather.js";
import {
  gradientBindings,
  gradientConstants,
  gradientMatrix,
  gradientUniforms,
  twoStages,
  weightSums,
} from "../passes/reducePartials.js";
import { chooseSplitK, divideEvenly, leastSplitK, splitKRefusal } from "../shared/splits.js";
import { predictTile, type SplitTile, tensorsOf, tileCandidates, type TiledProduct } from "./tileChoice.js";
import {
  heldElement,
  keepsPlaces,
  TILE_KNOBS,
  tileConstants,
  tileDiscouraged,
  tileLoads,
  tileM,
  tileMultiplyAdds,
  tileN,
  tileRefusal,
  tileSums,
  type TileExtra,
  type WorkgroupTile,
} from "./workgroupTile.js";

/** Of workgroup memory, for each k of a block: where dy and the input lie, and the bits. */
const PLACE_BYTES = 12;
/** Likewise for each m and each n of a tile: where its channel lies; where its patch lies, and the bits; else where taps begin. */
const [CHANNEL_BYTES, PATCH_BYTES, ORIGIN_BYTES] = [4, 8, 16];
/** Likewise once: where the tile begins. */
const TILE_BYTES = 16;

/** K of a block. */
const blockK = ({ tileK }: WorkgroupTile): number => tileK * stepsPerBlock(tileK);

/** Whether each tap of each position meets the input, and no padding. */
const readsInputAlone = ({ padBegin, padEnd }: ConvProblem): boolean =>
  [...padBegin, ...padEnd].every((padding) => padding <= 0);

/** Of a channels-last layer: whether the input's channels of a group lie in whole, aligned vectors, and the output's. */
function channelVectors({ layout, inChannels, inChannelsPerGroup, outChannels, outChannelsPerGroup }: ConvProblem) {
  const isLast = layout === "channels-last";
  return {
    input: isLast && inChannels % 4 === 0 && inChannelsPerGroup % 4 === 0,
    output: isLast && outChannels % 4 === 0 && outChannelsPerGroup % 4 === 0,
  };
}

/** Whether four output channels of a position are loaded at once, and lie together in workgroup memory. */
const loadsChannels = ({ problem }: ConvOperation, { mPerThread }: WorkgroupTile): boolean =>
  channelVectors(problem).output && mPerThread % 4 === 0;

const patchBytes = ({ problem }: ConvOperation): number =>
  PATCH_BYTES + (hasTapBits(problem.paddingMode, problem.kernel) ? 0 : ORIGIN_BYTES);

const extraOf =
  (operation: ConvOperation, capabilities: Capabilities) =>
  (tile: WorkgroupTile): TileExtra => ({
    padding: operation.problem.layout === "channels-last" ? 0 : 1,
    mVectors: loadsChannels(operation, tile),
    oneByOne: policyOf(capabilities).device.reservesSums,
    tableBytes:
      PLACE_BYTES * blockK(tile) + CHANNEL_BYTES * tileM(tile) + patchBytes(operation) * tileN(tile) + TILE_BYTES,
    heldBytes: heldElement(operation, capabilities).heldBytes,
  });

/** Vectors of K of the input that a thread turns into as many of N, which it writes whole. */
const INPUTS_TOGETHER = 4;

/** Of a thread, for a vector that it loads: as those of the gathering kernel. */
const LOAD_INSTRUCTIONS = 25;

/** The product that it computes. */
export function weightGradientProduct(operation: ConvOperation, capabilities: Capabilities): TiledProduct {
  const { problem } = operation;
  const { n } = gradientMatrix(operation);
  const { splitLeastK: leastK, device } = policyOf(capabilities);
  const k = problem.batch * problem.outputPositions;
  const kIn = (step: number): number => step * Math.ceil(k / step);
  const extra = extraOf(operation, capabilities);
  const [m, copies] = [problem.outChannelsPerGroup, problem.groups];
  const isConverted = operation.dtype === "float16" && heldElement(operation, capabilities).Held === "f32";
  const loads = { loadInstructions: LOAD_INSTRUCTIONS, holdsLoads: isConverted && device.holdsConverted };
  return { m, n, k, copies, ...tensorsOf(operation), leastK, kIn, extra, ...loads };
}

export const implicitGemmWeightGradient: Solver<SplitTile> = {
  name: "implicit-gemm",
  directions: ["weightGradient"],
  readsHalves: true,
  usesWorkgroupMemory: true,
  knobs: { ...TILE_KNOBS, splitK: false },

  configs: (operation, capabilities) =>
    tileCandidates(weightGradientProduct(operation, capabilities), capabilities, () => false),

  predictClocks: (operation, capabilities, config) =>
    predictTile(weightGradientProduct(operation, capabilities), capabilities, config),

  discouraged(operation, capabilities) {
    return tileDiscouraged(operation.problem.outChannelsPerGroup, policyOf(capabilities));
  },

  plan(operation, capabilities, config) {
    const extra = extraOf(operation, capabilities)(config);
    const refused = unsharedRefusal(operation.problem) ?? tileRefusal(config, capabilities, extra);
    if (refused !== undefined) return { refused };
    const { problem } = operation;
    const { n, elements } = gradientMatrix(operation);
    const tooMany = splitKRefusal(config.splitK ?? 1, elements, capabilities);
    if (tooMany !== undefined) return { refused: tooMany };
    const tilesM = Math.ceil(problem.outChannelsPerGroup / tileM(config));
    const tilesN = Math.ceil(n / tileN(config));
    const tasksPerSplit = problem.groups * tilesM * tilesN;

    const k = problem.batch * problem.outputPositions;
    const { busyGradientWorkgroups: busy, splitLeastK } = policyOf(capabilities);
    const limits = { leastK: splitLeastK, mostK: MOST_TERMS };
    const least = leastSplitK({ k, mostK: MOST_TERMS, elements }, capabilities);
    const wanted =
      config.splitK === undefined
        ? chooseSplitK({ tasks: tasksPerSplit, busy, elements, k, ...limits }, capabilities)
        : Math.max(least, config.splitK);
    const { tileK } = config;
    const channelsFirst = problem.layout === "channels-first";
    const { perSplit: kPerSplit, splitK } = divideEvenly(k, wanted, tileK);

    const sums = weightSums(operation, splitK, capabilities, !channelsFirst);
    const tasks = splitK * tasksPerSplit;
    const bindings = gradientBindings(operation);
    const inVectors = channelsFirst && problem.outputPositions % 4 === 0;
    const mVectors = loadsChannels(operation, config);
    const channelInputs = channelVectors(problem).input;
    const inputInVectors =
      inVectors &&
      isPointwise(problem) &&
      hasTapBits(problem.paddingMode, problem.kernel) &&
      tileLoads(config).b % INPUTS_TOGETHER === 0;
    const first = dispatch(kernel, {
      constants: {
        ...gradientConstants(operation),
        ...stepConstants(problem, false),
        TRANSPOSED: false,
        ...tileConstants(config, extra),
        RANK: problem.rank,
        VECTOR_GRADIENT: inVectors || mVectors,
        VECTOR_INPUT: inputInVectors,
        B_TOGETHER: inputInVectors ? INPUTS_TOGETHER : 1,
        CHANNEL_FASTEST: !channelsFirst,
        CHANNEL_VECTORS: channelInputs,
        RAGGED: k % tileK !== 0,
        WHOLE: readsInputAlone(problem) && k % tileK === 0,
        TAP_BITS: hasTapBits(problem.paddingMode, problem.kernel),
        BLOCKED: kPerSplit > blockK(config),
        AHEAD: config.ahead !== 0,
        KEEPS_PLACES: keepsPlaces(capabilities),
        IN_REGISTERS: inRegisters(tileSums(config), capabilities),
      },
      types: { ...operandTypes(operation), Held: heldElement(operation, capabilities).Held },
      uniforms: {
        ...gradientUniforms(operation),
        tilesN,
        tilesM,
        tasks,
        outputPositions: problem.outputPositions,
        k,
        kPerSplit,
      },
      bindings: {
        ...bindings,
        // Bound as vectors, a buffer of less than one is too small.
        inputVectors: inputInVectors || channelInputs ? bindings.input : "unused",
        gradientVectors: inVectors || mVectors ? bindings.outputGradient : "unused",
        activatedVectors: inVectors || mVectors ? bindings.activated : "unused",
        partials: sums.target,
      },
      workgroups: foldWorkgroups(tasks, capabilities),
      multiplyAdds: problem.groups * tileMultiplyAdds(config, problem.outChannelsPerGroup, n, k),
    });
    return twoStages(first, sums);
  },
};
