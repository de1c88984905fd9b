/** Tiled implicit GEMM in workgroup memory: forward pass and input gradient. */
import kernel from "../../shaders/implicit_gemm.wgsl";
import type { ConvOperation } from "../operation.js";
import { dispatch, foldWorkgroups, type Solver } from "../solver.js";
import { describeGather, type Gather, isMasked } from "./gather.js";
import { candidateTiles, tileColumns, tileConstants, tileDiscouraged, tileRefusal, tileRows } from "./workgroupTile.js";

/** Whether the four weights of neighbouring depth lie in one aligned vector. */
function vectorWeight(gather: Gather): boolean {
  return !gather.transposed && gather.depth % 4 === 0;
}

/** Whether four neighbouring columns are four neighbouring, aligned source elements: a plain 1x1 layer. */
function vectorSource(operation: ConvOperation): boolean {
  const { taps, stride, padBegin, padEnd, inputPositions } = operation.problem;
  const plain = taps === 1 && stride.every((s) => s === 1) && [...padBegin, ...padEnd].every((p) => p === 0);
  return plain && inputPositions % 4 === 0 && !isMasked(operation);
}

export const implicitGemm: Solver = {
  name: "implicit-gemm",
  directions: ["forward", "inputGradient"],

  configs(operation) {
    const { resultChannels, columns } = describeGather(operation);
    return candidateTiles(resultChannels, columns, operation.problem.groups);
  },

  discouraged(operation, capabilities) {
    return tileDiscouraged(describeGather(operation).resultChannels, capabilities);
  },

  plan(operation, capabilities, config) {
    const refused = tileRefusal(config, capabilities);
    if (refused !== undefined) return { refused };
    const gather = describeGather(operation);
    const rowBlocks = Math.ceil(gather.resultChannels / tileRows(config));
    const columnBlocks = Math.ceil(gather.columns / tileColumns(config));
    const tasks = operation.problem.groups * rowBlocks * columnBlocks;
    const step = dispatch(kernel, {
      constants: {
        ...gather.constants,
        ...tileConstants(config),
        VECTOR_WEIGHT: vectorWeight(gather),
        VECTOR_SOURCE: vectorSource(operation),
      },
      uniforms: {
        ...gather.uniforms,
        resultPositions: gather.resultPositions,
        columns: gather.columns,
        depth: gather.depth,
        rowBlocks,
        columnBlocks,
        tasks,
      },
      bindings: { ...gather.bindings, weightVectors: gather.bindings.weight, sourceVectors: gather.bindings.source },
      workgroups: foldWorkgroups(tasks, capabilities),
    });
    return { solver: "implicit-gemm", config, dispatches: [step], workspaceBytes: 0 };
  },
};
