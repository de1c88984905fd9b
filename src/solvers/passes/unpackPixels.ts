/** An image's pixels made values, normalised, in the layout of the problem's input: for solvers that read no pixels. */
import kernel from "../../../shaders/passes/unpack_pixels.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { type Dispatch, dispatch, foldWorkgroups, type ScratchName } from "../../planning/solver.js";
import type { DType } from "../../problem/dtype.js";
import type { ConvOperation } from "../../problem/operation.js";
import { elementTypes } from "../shared/constants.js";
import { pixelConstants, pixelUniforms } from "../shared/pixels.js";

const THREADS = 64;

/** Unpacks x, an image, into `result` as values of `dtype`. */
export function unpackPixels(
  operation: ConvOperation,
  dtype: DType,
  result: ScratchName,
  capabilities: Capabilities,
): Dispatch {
  const { batch, inputPositions, inChannels, inputStrides } = operation.problem;
  const pixels = batch * inputPositions;
  return dispatch(kernel, {
    constants: pixelConstants(operation),
    types: elementTypes({ dtype }),
    uniforms: {
      pixels,
      positions: inputPositions,
      channels: inChannels,
      resultStrides: inputStrides,
      ...pixelUniforms(operation),
    },
    bindings: { source: "x", result },
    workgroups: foldWorkgroups(Math.ceil(pixels / THREADS), capabilities),
  });
}
