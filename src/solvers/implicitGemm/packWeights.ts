/** Weights laid out tap by tap, with source channels in whole vectors of four: what tap GEMM reads. */
import kernel from "../../../shaders/implicit_gemm/pack_weights.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { type BindingSource, type Dispatch, dispatch, foldWorkgroups, type Scratch } from "../../planning/solver.js";
import { BYTES_PER_ELEMENT } from "../../problem/dtype.js";
import type { ConvOperation } from "../../problem/operation.js";
import { elementTypes, vectorResults } from "../shared/constants.js";
import type { Gather } from "../shared/gather.js";

const THREADS = 64;
const VECTOR = 4;

export interface PackedWeights {
  readonly binding: BindingSource;
  /** Source channels of a group, rounded up to whole vectors. */
  readonly channels: number;
  /** Vectors between groups, result channels and taps. */
  readonly strides: readonly number[];
  readonly scratchBytes: Scratch;
  readonly dispatches: readonly Dispatch[];
}

/** The weights of a pass that gathers: as they are where they lie so already, packed otherwise. */
export function packedWeights(operation: ConvOperation, gather: Gather, capabilities: Capabilities): PackedWeights {
  const { taps, groups } = operation.problem;
  const { sourceChannels, resultChannels } = gather;
  const { weightStrides, weightGroupStride } = gather.uniforms;
  const [resultStride, sourceStride, tapStride] = weightStrides;
  const steps = [weightGroupStride, resultStride, taps === 1 ? 0 : tapStride];
  if (sourceStride === 1 && sourceChannels % VECTOR === 0 && steps.every((step) => step % VECTOR === 0)) {
    const strides = steps.map((step) => step / VECTOR);
    return { binding: "w", channels: sourceChannels, strides, scratchBytes: {}, dispatches: [] };
  }
  const channelVectors = Math.ceil(sourceChannels / VECTOR);
  const vectors = groups * resultChannels * taps * channelVectors;
  const types = elementTypes(operation);
  const pack = dispatch(kernel, {
    constants: {},
    types: { ...types, Result: vectorResults(types.Element, true).types.Result },
    uniforms: {
      threads: vectors,
      channelVectors,
      taps,
      resultChannels,
      sourceChannels,
      weightStrides,
      weightGroupStride,
    },
    bindings: { weight: "w", result: "weights packed" },
    workgroups: foldWorkgroups(Math.ceil(vectors / THREADS), capabilities),
  });
  return {
    binding: "weights packed",
    channels: VECTOR * channelVectors,
    strides: [resultChannels * taps * channelVectors, taps * channelVectors, channelVectors],
    scratchBytes: { "weights packed": vectors * VECTOR * BYTES_PER_ELEMENT[operation.dtype] },
    dispatches: [pack],
  };
}
