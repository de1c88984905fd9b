/**
 * Lays out sources that do not lie in vectors of four neighbouring positions, each as often as taps read it (im2col;
 * Chellapilla et al., "High Performance Convolutional Neural Networks for Document Processing", 2006).
 */
import kernel from "../../../shaders/vector_tile/unfold.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { type Dispatch, dispatch, foldWorkgroups, without } from "../../planning/solver.js";
import type { ConvOperation } from "../../problem/operation.js";
import { elementTypes } from "../shared/constants.js";
import type { Gather } from "../shared/gather.js";
import { pixelConstants, pixelUniforms, sourceTypes } from "../shared/pixels.js";
import { VECTOR, type Vectors } from "./vectors.js";

const VECTOR_BYTES = 16;
const THREADS = 64;
/** Sources of a row that a thread loads at once to lay them out. */
const LONGEST_SPAN = 32;

/** Bytes of the sources laid out. */
export function unfoldedBytes({ gather, channels, nVectors, phaseTaps }: Vectors): number {
  return VECTOR_BYTES * nVectors * channels * gather.phaseCount * phaseTaps;
}

/** What four neighbouring results read of a row at a row of taps. */
function rowOf({ transposed, phaseSize, constants }: Gather) {
  const taps = Math.ceil(constants.KERNEL_WIDTH / constants.TAP_STEP_WIDTH);
  // Neighbours of a phase read neighbours.
  const resultStep = transposed ? 1 : constants.STRIDE_WIDTH;
  const span = (VECTOR - 1) * resultStep + (taps - 1) * constants.SOURCE_STEP_WIDTH + 1;
  const isShared = phaseSize[2] % VECTOR === 0 && span < VECTOR * taps && span <= LONGEST_SPAN;
  return { taps, resultStep, isShared };
}

export function unfoldDispatch(operation: ConvOperation, vectors: Vectors, capabilities: Capabilities): Dispatch {
  const { gather, channels, nVectors, sampleVectors, phaseTaps } = vectors;
  const { phases, phaseCount, phaseSize, phasePositions, constants, uniforms, bindings } = gather;
  const row = rowOf(gather);
  const threads = (nVectors * channels * phaseCount * phaseTaps) / row.taps;
  return dispatch(kernel, {
    constants: {
      ...without(constants, "HAS_BIAS", "HAS_RESIDUAL", "ACTIVATION", "FORMULA", "FIRST_PARAMETER", "SECOND_PARAMETER"),
      ...pixelConstants(operation),
      IN_ONE_ROW: row.isShared,
      RESULT_STEP: row.resultStep,
    },
    types: { ...elementTypes(operation), ...sourceTypes(operation) },
    uniforms: {
      sourceSize: uniforms.sourceSize,
      padBegin: uniforms.padBegin,
      phases,
      phaseSize,
      phasePositions,
      sampleVectors,
      phaseCount,
      channels,
      threads,
      sourceStrides: uniforms.sourceStrides,
      ...pixelUniforms(operation),
    },
    bindings: { source: bindings.source, activated: operation.masked ? "activated" : "unused", result: "unfolded" },
    workgroups: foldWorkgroups(Math.ceil(threads / THREADS), capabilities),
  });
}
