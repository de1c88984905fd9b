/** Tiled implicit GEMM in workgroup memory: forward pass and input gradient. */
import kernel from "../../../shaders/implicit_gemm/implicit_gemm.wgsl";
import type { ConvOperation } from "../../problem/operation.js";
import { isPointwise } from "../../problem/pointwise.js";
import { policyOf } from "../../planning/policy.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { borderDispatches } from "../passes/borderInputGradient.js";
import { stepsPerBlock } from "../shared/blocks.js";
import { elementTypes, unsharedRefusal, vectorResults } from "../shared/constants.js";
import { describeGather, type Gather, liesInVectors, phaseUniforms } from "../shared/gather.js";
import { pixelConstants, pixelUniforms, sourceTypes } from "../shared/pixels.js";
import { mostSplits, resultSplits, resultSplitsRefusal, resultSums, type ResultTerms } from "../passes/sumSplits.js";
import {
  candidateTiles,
  TILE_KNOBS,
  tileColumns,
  tileConstants,
  tileCount,
  tileDiscouraged,
  tileMultiplyAdds,
  tileRefusal,
  tileRows,
  tileSums,
  type WorkgroupTile,
} from "./workgroupTile.js";

/** Whether the four weights of neighbouring depth lie in one aligned vector. */
function vectorWeight(operation: ConvOperation, gather: Gather): boolean {
  return !gather.transposed && operation.problem.weightOrder === "OIS" && gather.depth % 4 === 0;
}

/** Whether four neighbouring columns are four neighbouring, aligned source elements: a plain 1x1 layer. */
function vectorSource({ problem, masked, pixels }: ConvOperation): boolean {
  const { inputPositions, layout } = problem;
  return isPointwise(problem) && layout === "channels-first" && inputPositions % 4 === 0 && !masked && !pixels;
}

/** The sums of a tile. */
function termsOf({ problem }: ConvOperation, gather: Gather, tile: WorkgroupTile): ResultTerms {
  const { phaseCount, resultChannels, columns, depth } = gather;
  const tasks = phaseCount * problem.groups * tileCount(tile, resultChannels, columns);
  const unit = tile.tileDepth;
  return { tasks, depth, unit, blockDepth: unit * stepsPerBlock(unit), sums: tileSums(tile) };
}

export interface ImplicitGemmConfig extends WorkgroupTile {
  /** Workgroups that share a sum (split K); as many as the device wants when absent. */
  readonly splits?: number;
}

export const implicitGemm: Solver<ImplicitGemmConfig> = {
  name: "implicit-gemm",
  directions: ["forward", "inputGradient"],
  readsPixels: true,
  usesWorkgroupMemory: true,
  knobs: { ...TILE_KNOBS, splits: false },

  configs(operation, capabilities) {
    const gather = describeGather(operation);
    const copies = gather.phaseCount * operation.problem.groups;
    const policy = policyOf(capabilities);
    const tiles = candidateTiles(gather.resultChannels, gather.columns, copies * mostSplits(gather, policy), policy);
    const isSplit = (tile: WorkgroupTile): boolean =>
      resultSplits(operation, termsOf(operation, gather, tile), capabilities) > 1;
    return [...tiles, ...tiles.filter(isSplit).map((tile) => ({ ...tile, splits: 1 }))];
  },

  discouraged(operation, capabilities) {
    return tileDiscouraged(describeGather(operation).resultChannels, policyOf(capabilities));
  },

  plan(operation, capabilities, config) {
    const unable = unsharedRefusal(operation.problem) ?? tileRefusal(config, capabilities);
    if (unable !== undefined) return { refused: unable };
    const gather = describeGather(operation);
    const terms = termsOf(operation, gather, config);
    const { splits = resultSplits(operation, terms, capabilities) } = config;
    const refused = resultSplitsRefusal(operation, splits, capabilities);
    if (refused !== undefined) return { refused };
    const sums = resultSums(operation, gather, terms, splits, capabilities);
    const tasks = sums.splits * terms.tasks;
    const vectors = vectorResults(
      sums.types.Result,
      gather.phaseCount === 1 && liesInVectors(gather, gather.gridPositions),
    );
    const weightsInVectors = vectorWeight(operation, gather);
    const sourcesInVectors = vectorSource(operation);
    const step = dispatch(kernel, {
      constants: {
        ...gather.constants,
        ...pixelConstants(operation),
        ...tileConstants(config),
        VECTOR_WEIGHT: weightsInVectors,
        VECTOR_SOURCE: sourcesInVectors,
        ...sums.constants,
        ...vectors.constants,
      },
      types: { ...elementTypes(operation), ...sourceTypes(operation), ...vectors.types },
      uniforms: {
        ...gather.uniforms,
        ...pixelUniforms(operation),
        ...phaseUniforms(gather),
        groups: operation.problem.groups,
        depth: gather.depth,
        depthPerSplit: sums.perSplit,
        resultElements: sums.resultElements,
        rowBlocks: Math.ceil(gather.resultChannels / tileRows(config)),
        columnBlocks: Math.ceil(gather.columns / tileColumns(config)),
        tasks,
      },
      bindings: {
        ...gather.bindings,
        ...sums.bindings,
        // Bound as vectors, a buffer of less than one is too small.
        weightVectors: weightsInVectors ? gather.bindings.weight : "unused",
        sourceVectors: sourcesInVectors ? gather.bindings.source : "unused",
      },
      workgroups: foldWorkgroups(tasks, capabilities),
      multiplyAdds:
        gather.phaseCount *
        operation.problem.groups *
        tileMultiplyAdds(config, gather.resultChannels, gather.columns, gather.depth),
    });
    return {
      dispatches: [step, ...sums.reduction, ...borderDispatches(operation, capabilities)],
      scratchBytes: sums.scratchBytes,
    };
  },
};
