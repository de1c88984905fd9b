/** The second pass of an input gradient whose padding copies elements: what flowed to the copies flows back. */
import kernel from "../../../shaders/passes/border_input_gradient.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import type { ConvOperation } from "../../problem/operation.js";
import { type Dispatch, dispatch, foldWorkgroups } from "../../planning/solver.js";
import { gatherTypes, paddingConstant, tapConstants } from "../shared/constants.js";
import { gatherUniforms } from "../shared/gather.js";

const THREADS = 64;

/** Whether an operation takes the second pass, which adds to what the first one stored. */
export function hasBorder({ direction, problem }: ConvOperation): boolean {
  if (direction !== "inputGradient" || problem.paddingMode === "zeros") return false;
  return [...problem.padBegin, ...problem.padEnd].some((pad) => pad > 0);
}

/** One dispatch for a padding mode other than zeros, none for zeros and for a forward pass. */
export function borderDispatches(operation: ConvOperation, capabilities: Capabilities): Dispatch[] {
  if (!hasBorder(operation)) return [];
  const { problem, masked } = operation;
  const types = gatherTypes(operation);
  const resultElements = problem.batch * problem.inChannels * problem.inputPositions;
  return [
    dispatch(kernel, {
      constants: {
        ...tapConstants(problem),
        RANK: problem.rank,
        PADDING_MODE: paddingConstant(problem),
        MASKED: masked,
        HALVES: false,
      },
      types: { ...types, Result: types.Element },
      uniforms: {
        ...gatherUniforms(operation),
        padEnd: problem.padEnd,
        groups: problem.groups,
        weightPositionStride: problem.weightPositionStride,
        resultElements,
      },
      bindings: { source: "y", weight: "w", activated: masked ? "activated" : "unused", result: "x" },
      workgroups: foldWorkgroups(Math.ceil(resultElements / THREADS), capabilities),
    }),
  ];
}
