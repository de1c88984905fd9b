/** Implicit GEMM (implicitGemm.ts): weight gradient. Its long sum is split in two stages. */
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
import { chooseSplitK, divideEvenly } from "../shared/splits.js";
import {
  candidateTiles,
  TILE_KNOBS,
  tileConstants,
  tileDiscouraged,
  tileM,
  tileMultiplyAdds,
  tileN,
  tileRefusal,
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
    const { n } = gradientMatrix(operation);
    const splitK = Math.max(1, Math.floor((problem.batch * problem.outputPositions) / policy.splitLeastK));
    return candidateTiles(problem.outChannelsPerGroup, n, problem.groups * splitK, policy);
  },

  discouraged(operation, capabilities) {
    return tileDiscouraged(operation.problem.outChannelsPerGroup, policyOf(capabilities));
  },

  plan(operation, capabilities, config) {
    const refused = unsharedRefusal(operation.problem) ?? tileRefusal(config, capabilities, 1);
    if (refused !== undefined) return { refused };
    const { problem } = operation;
    const { n, elements } = gradientMatrix(operation);
    const tilesM = Math.ceil(problem.outChannelsPerGroup / tileM(config));
    const tilesN = Math.ceil(n / tileN(config));
    const tasksPerSplit = problem.groups * tilesM * tilesN;

    const k = problem.batch * problem.outputPositions;
    const { busyGradientWorkgroups: busy, splitLeastK } = policyOf(capabilities);
    const limits = { leastK: splitLeastK, mostK: MOST_TERMS };
    const wanted = chooseSplitK({ tasks: tasksPerSplit, busy, elements, k, ...limits }, capabilities);
    const { tileK } = config;
    const { perSplit: kPerSplit, splitK } = divideEvenly(k, wanted, tileK);

    const sums = weightSums(operation, splitK, capabilities);
    const tasks = splitK * tasksPerSplit;
    const bindings = gradientBindings(operation);
    const channelsFirst = problem.layout === "channels-first";
    const inVectors = channelsFirst && problem.outputPositions % 4 === 0;
    const first = dispatch(kernel, {
      constants: {
        ...gradientConstants(operation),
        ...tileConstants(config),
        RANK: problem.rank,
        VECTOR_GRADIENT: inVectors,
        ALONG_K: channelsFirst,
        BLOCKED: kPerSplit > tileK * stepsPerBlock(tileK),
        IN_REGISTERS: inRegisters(tileSums(config), capabilities),
      },
      types: elementTypes(operation),
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
        gradientVectors: inVectors ? bindings.outputGradient : "unused",
        activatedVectors: inVectors ? bindings.activated : "unused",
        partials: sums.target,
      },
      workgroups: foldWorkgroups(tasks, capabilities),
      multiplyAdds: problem.groups * tileMultiplyAdds(config, problem.outChannelsPerGroup, n, k),
    });
    return twoStages(first, sums);
  },
};
