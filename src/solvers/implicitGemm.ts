/** Tiled implicit GEMM in workgroup memory: forward pass and input gradient. */
import kernel from "../../shaders/implicit_gemm.wgsl";
import type { ConvOperation } from "../operation.js";
import { dispatch, foldWorkgroups, type Solver } from "../solver.js";
import { borderDispatches } from "./border.js";
import { elementTypes, unsharedRefusal } from "./constants.js";
import { describeGather, type Gather, phaseUniforms } from "./gather.js";
import { pixelConstants, pixelUniforms, sourceTypes } from "./pixels.js";
import { candidateTiles, tileColumns, tileConstants, tileDiscouraged, tileRefusal, tileRows } from "./workgroupTile.js";

/** Whether the four weights of neighbouring depth lie in one aligned vector. */
function vectorWeight(operation: ConvOperation, gather: Gather): boolean {
  return !gather.transposed && operation.problem.weightOrder === "OIS" && gather.depth % 4 === 0;
}

/** Whether four neighbouring columns are four neighbouring, aligned source elements: a plain 1x1 layer. */
function vectorSource({ problem, masked, pixels }: ConvOperation): boolean {
  const { taps, stride, padBegin, padEnd, inputPositions, layout } = problem;
  const plain = taps === 1 && stride.every((s) => s === 1) && [...padBegin, ...padEnd].every((p) => p === 0);
  return plain && layout === "channels-first" && inputPositions % 4 === 0 && !masked && !pixels;
}

export const implicitGemm: Solver = {
  name: "implicit-gemm",
  directions: ["forward", "inputGradient"],
  readsPixels: true,

  configs(operation) {
    const { resultChannels, columns, phaseCount } = describeGather(operation);
    return candidateTiles(resultChannels, columns, phaseCount * operation.problem.groups);
  },

  discouraged(operation, capabilities) {
    return tileDiscouraged(describeGather(operation).resultChannels, capabilities);
  },

  plan(operation, capabilities, config) {
    const refused = unsharedRefusal(operation.problem) ?? tileRefusal(config, capabilities);
    if (refused !== undefined) return { refused };
    const gather = describeGather(operation);
    const rowBlocks = Math.ceil(gather.resultChannels / tileRows(config));
    const columnBlocks = Math.ceil(gather.columns / tileColumns(config));
    const tasks = gather.phaseCount * operation.problem.groups * rowBlocks * columnBlocks;
    const step = dispatch(kernel, {
      constants: {
        ...gather.constants,
        ...pixelConstants(operation),
        ...tileConstants(config),
        VECTOR_WEIGHT: vectorWeight(operation, gather),
        VECTOR_SOURCE: vectorSource(operation),
      },
      types: { ...elementTypes(operation), ...sourceTypes(operation) },
      uniforms: {
        ...gather.uniforms,
        ...pixelUniforms(operation),
        ...phaseUniforms(gather),
        groups: operation.problem.groups,
        depth: gather.depth,
        rowBlocks,
        columnBlocks,
        tasks,
      },
      bindings: { ...gather.bindings, weightVectors: gather.bindings.weight, sourceVectors: gather.bindings.source },
      workgroups: foldWorkgroups(tasks, capabilities),
    });
    return {
      solver: "implicit-gemm",
      config,
      dispatches: [step, ...borderDispatches(operation, capabilities)],
      scratchBytes: {},
    };
  },
};
