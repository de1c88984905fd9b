/**
 * Direct convolution: one thread a result element. Takes every forward pass and input gradient. The kernel also sums results once
 * more that another solver left NaN.
 */
import kernel from "../../../shaders/direct/direct.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { product } from "../../problem/geometry.js";
import type { ConvOperation } from "../../problem/operation.js";
import { operandTypes, vectorResults, wholeWorkgroups } from "../shared/constants.js";
import { type Box, EMPTY_BOX } from "../shared/insideBox.js";
import { describeGather, meanK } from "../shared/gather.js";
import { pixelConstants, pixelUniforms, sourceTypes } from "../shared/pixels.js";
import type { NoKnobs } from "../../planning/knobs.js";
import { borderDispatches } from "../passes/borderInputGradient.js";
import { finishSums } from "../passes/sumSplits.js";
import { type BindingSource, type Dispatch, dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";

const THREADS = 64;

export const direct: Solver<NoKnobs> = {
  name: "direct",
  directions: ["forward", "inputGradient"],
  readsPixels: true,
  knobs: {},
  configs: () => [{}],
  plan(operation, capabilities) {
    const apart = capabilities.finishesApart === true ? finishApart(operation, capabilities) : undefined;
    return {
      dispatches: [
        directDispatch(operation, capabilities, undefined, apart),
        ...(apart?.reduction ?? borderDispatches(operation, capabilities)),
      ],
      scratchBytes: apart?.scratchBytes ?? {},
    };
  },
};

/** What changes where what is fused takes a dispatch of its own. No pass over a border has anything fused. */
function finishApart(operation: ConvOperation, capabilities: Capabilities) {
  const biasFirst = operation.residual && operation.activation.name === "prelu";
  const { bindings, ...rest } = finishSums(operation, describeGather(operation), 1, capabilities, biasFirst);
  const activated: BindingSource = operation.masked ? "activated" : "unused";
  return { ...rest, bindings: { ...bindings, activated } };
}

/** What is repaired. */
export interface Repair {
  /** Results that need none. */
  readonly box: Box;
  /** Whether results are packed pairs of float16. */
  readonly packs: boolean;
  /** Whether infinities are summed once more, too. */
  readonly infinities: boolean;
}

/** What is changed where what is fused takes a dispatch of its own. */
type Apart = Pick<ReturnType<typeof finishSums>, "constants" | "types"> & {
  readonly bindings: Partial<Record<"bias" | "residual" | "result" | "activated", BindingSource>>;
};

/**
 * @param repair absent where all results are computed
 * @param apart absent where it finishes its sums
 */
export function directDispatch(
  operation: ConvOperation,
  capabilities: Capabilities,
  repair?: Repair,
  apart?: Apart,
): Dispatch {
  const gather = describeGather(operation);
  const { box = EMPTY_BOX, packs = false, infinities = false } = repair ?? {};
  const { batch, groups, weightPositionStride } = operation.problem;
  const { resultSize } = gather.uniforms;
  const extents = box.end.map((end, axis) => end - box.begin[axis]);
  const elements = batch * groups * gather.resultChannels * (product(resultSize) - product(extents));
  const threads = packs ? Math.ceil(elements / 2) : elements;
  const { Element } = operandTypes(operation);
  // Operands in packed pairs are of float32 operations.
  const stored = Element === "u32" ? "f32" : Element;
  const results = vectorResults(stored, false, { halves: operation.halves === true, packs });
  const step = dispatch(kernel, {
    constants: {
      ...gather.constants,
      ...pixelConstants(operation),
      ...results.constants,
      REPAIRS: repair !== undefined,
      INFINITIES: infinities,
      ...apart?.constants,
    },
    types: { Element, ...sourceTypes(operation), ...results.types, ...apart?.types },
    uniforms: {
      ...gather.uniforms,
      ...pixelUniforms(operation),
      batch,
      groups,
      threads,
      weightPositionStride,
      boxBegin: box.begin,
      boxEnd: box.end,
    },
    bindings: { ...gather.bindings, ...apart?.bindings },
    workgroups: foldWorkgroups(Math.ceil(threads / THREADS), capabilities),
    ...(!repair && { multiplyAdds: wholeWorkgroups(threads, THREADS) * meanK(operation, gather) }),
  });
  return repair ? { ...step, repairs: true } : step;
}
