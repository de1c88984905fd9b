/** Tiled implicit GEMM in workgroup memory: weight gradient, its long sum split in two stages. */
import kernel from "../../../shaders/implicit_gemm/implicit_gemm_weight_gradient.wgsl";
import { policyOf } from "../../planning/policy.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { inRegisters, MOST_TERMS, stepsPerBlock } from "../shared/blocks.js";
import { elementTypes, unsharedRefusal } from "../shared/constants.js";
import {
  gradientBindings,
  gradientConstants,
  gradientMatrix,
  gradientUniforms,
  twoStages,
  weightSums,
} from "../passes/reducePartials.js";
import { chooseSplits, dealOut } from "../shared/splits.js";
import {
  candidateTiles,
  TILE_KNOBS,
  tileColumns,
  tileConstants,
  tileDiscouraged,
  tileMultiplyAdds,
  tileRefusal,
  tileRows,
  tileSums,
  type WorkgroupTile,
} from "./workgroupTile.js";

export const implicitGemmWeightGradient: Solver<WorkgroupTile> = {
  name: "implicit-gemm",
  directions: ["weightGradient"],
  usesWorkgroupMemory: true,
  knobs: TILE_KNOBS,

  configs(operation, capabilities) {
    const policy = policyOf(capabilities);
    const { problem } = operation;
    const { columns } = gradientMatrix(operation);
    const splits = Math.max(1, Math.floor((problem.batch * problem.outputPositions) / policy.splitLeastK));
    return candidateTiles(problem.outChannelsPerGroup, columns, problem.groups * splits, policy);
  },

  discouraged(operation, capabilities) {
    return tileDiscouraged(operation.problem.outChannelsPerGroup, policyOf(capabilities));
  },

  plan(operation, capabilities, config) {
    const refused = unsharedRefusal(operation.problem) ?? tileRefusal(config, capabilities, 1);
    if (refused !== undefined) return { refused };
    const { problem } = operation;
    const { columns, elements } = gradientMatrix(operation);
    const rowBlocks = Math.ceil(problem.outChannelsPerGroup / tileRows(config));
    const columnBlocks = Math.ceil(columns / tileColumns(config));
    const tasksPerSplit = problem.groups * rowBlocks * columnBlocks;

    const depth = problem.batch * problem.outputPositions;
    const { busyGradientWorkgroups: busy, splitLeastK } = policyOf(capabilities);
    const limits = { leastDepth: splitLeastK, mostDepth: MOST_TERMS };
    const wanted = chooseSplits({ tasks: tasksPerSplit, busy, elements, depth, ...limits }, capabilities);
    const { tileDepth } = config;
    const { perSplit: depthPerSplit, splits } = dealOut(depth, wanted, tileDepth);

    const sums = weightSums(operation, splits, capabilities);
    const tasks = splits * tasksPerSplit;
    const bindings = gradientBindings(operation);
    const channelsFirst = problem.layout === "channels-first";
    const inVectors = channelsFirst && problem.outputPositions % 4 === 0;
    const first = dispatch(kernel, {
      constants: {
        ...gradientConstants(operation),
        ...tileConstants(config),
        RANK: problem.rank,
        VECTOR_GRADIENT: inVectors,
        ALONG_DEPTH: channelsFirst,
        BLOCKED: depthPerSplit > tileDepth * stepsPerBlock(tileDepth),
        IN_REGISTERS: inRegisters(tileSums(config), capabilities),
      },
      types: elementTypes(operation),
      uniforms: {
        ...gradientUniforms(operation),
        columnBlocks,
        rowBlocks,
        tasks,
        outputPositions: problem.outputPositions,
        depth,
        depthPerSplit,
      },
      bindings: {
        ...bindings,
        // Bound as vectors, a buffer of less than one is too small.
        gradientVectors: inVectors ? bindings.outputGradient : "unused",
        activatedVectors: inVectors ? bindings.activated : "unused",
        partials: sums.target,
      },
      workgroups: foldWorkgroups(tasks, capabilities),
      multiplyAdds: problem.groups * tileMultiplyAdds(config, problem.outChannelsPerGroup, columns, depth),
    });
    return twoStages(first, sums);
  },
};
