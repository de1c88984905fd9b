/** The second pass of an input gradient whose padding copies elements: what flowed to the copies flows back. */
import kernel from "../../shaders/border_input_gradient.wgsl";
import type { Capabilities } from "../gpu/capabilities.js";
import type { ConvOperation } from "../operation.js";
import { type Dispatch, dispatch, foldWorkgroups } from "../solver.js";
import { elementTypes, paddingConstant, stepConstants, tapConstants } from "./constants.js";
import { gatherUniforms } from "./gather.js";

const THREADS = 64;

/** Places that show an element along an axis, its own included, at most. */
function copiesAlong(operation: ConvOperation, axis: number): number {
  const { padBegin, padEnd, paddingMode } = operation.problem;
  const [begin, end] = [Math.max(padBegin[axis], 0), Math.max(padEnd[axis], 0)];
  if (begin + end === 0) return 1;
  return paddingMode === "replicate" ? 1 + begin + end : 3;
}

/** Whether an operation takes the second pass, which adds to what the first one stored. */
export function hasBorder(operation: ConvOperation): boolean {
  const { direction, problem } = operation;
  if (direction !== "inputGradient" || problem.paddingMode === "zeros") return false;
  return [0, 1, 2].some((axis) => copiesAlong(operation, axis) > 1);
}

/** No dispatch for zero padding (and for the forward pass), one for every other mode. */
export function borderDispatches(operation: ConvOperation, capabilities: Capabilities): Dispatch[] {
  if (!hasBorder(operation)) return [];
  const { problem, masked } = operation;
  const copies = [0, 1, 2].map((axis) => copiesAlong(operation, axis));
  const resultElements = problem.batch * problem.inChannels * problem.inputPositions;
  return [
    dispatch(kernel, {
      constants: {
        ...tapConstants(problem),
        ...stepConstants(problem, true),
        RANK: problem.rank,
        TRANSPOSED: true,
        PADDING_MODE: paddingConstant(problem),
        MASKED: masked,
      },
      types: elementTypes(operation),
      uniforms: {
        ...gatherUniforms(operation),
        padEnd: problem.padEnd,
        groups: problem.groups,
        weightPositionStride: problem.weightPositionStride,
        copies,
        resultElements,
      },
      bindings: { source: "y", weight: "w", activated: masked ? "activated" : "unused", result: "x" },
      workgroups: foldWorkgroups(Math.ceil(resultElements / THREADS), capabilities),
    }),
  ];
}
