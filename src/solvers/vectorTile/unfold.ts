/**
 * Sources that do not lie in vectors of four neighbouring positions, laid out so, each as often as taps meet it (im2col;
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
/** Sources of a line that a thread loads at once to lay them out. */
const LONGEST_SPAN = 32;

/** Bytes of the sources laid out. */
export function unfoldedBytes({ gather, channels, columns, visits }: Vectors): number {
  return VECTOR_BYTES * columns * channels * gather.phaseCount * visits;
}

/** What four neighbouring results meet along a line at the visits of a row of taps. */
function lineOf({ transposed, gridSize, constants }: Gather) {
  const visits = Math.ceil(constants.KERNEL_WIDTH / constants.TAP_STEP_WIDTH);
  // Neighbours of a phase meet neighbours.
  const resultStep = transposed ? 1 : constants.STRIDE_WIDTH;
  const span = (VECTOR - 1) * resultStep + (visits - 1) * constants.SOURCE_STEP_WIDTH + 1;
  const isShared = gridSize[2] % VECTOR === 0 && span < VECTOR * visits && span <= LONGEST_SPAN;
  return { visits, resultStep, isShared };
}

export function unfoldDispatch(operation: ConvOperation, vectors: Vectors, capabilities: Capabilities): Dispatch {
  const { gather, channels, columns, rowVectors, visits } = vectors;
  const { phases, phaseCount, gridSize, gridPositions, constants, uniforms, bindings } = gather;
  const line = lineOf(gather);
  const threads = (columns * channels * phaseCount * visits) / line.visits;
  return dispatch(kernel, {
    constants: {
      ...without(constants, "HAS_BIAS", "HAS_RESIDUAL", "ACTIVATION", "FIRST_PARAMETER", "SECOND_PARAMETER"),
      ...pixelConstants(operation),
      ON_LINE: line.isShared,
      RESULT_STEP: line.resultStep,
    },
    types: { ...elementTypes(operation), ...sourceTypes(operation) },
    uniforms: {
      sourceSize: uniforms.sourceSize,
      padBegin: uniforms.padBegin,
      phases,
      gridSize,
      gridPositions,
      rowVectors,
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
