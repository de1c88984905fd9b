/** Weights laid out for implicit GEMM: those of a result channel in whole vectors of four of K. */
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
  /** K of a tap, rounded up to whole vectors. */
  readonly k: number;
  /** Vectors between groups, result channels and taps. */
  readonly strides: readonly number[];
  readonly scratchBytes: Scratch;
  readonly dispatches: readonly Dispatch[];
}

/** Weights tap by tap, each with its source channels in whole vectors: what tap GEMM reads. */
export function tapsPacked(operation: ConvOperation, gather: Gather, capabilities: Capabilities): PackedWeights {
  const { sourceChannels: k, uniforms } = gather;
  return packed(operation, gather, { taps: operation.problem.taps, k, strides: uniforms.weightStrides }, capabilities);
}

/**
 * The weights of a forward pass with taps and channels as one K, in the order in which they lie: neighbours are always as far
 * apart. What implicit GEMM reads.
 */
export function rowsPacked(operation: ConvOperation, gather: Gather, capabilities: Capabilities): PackedWeights {
  const [result, channel, tap] = gather.uniforms.weightStrides;
  const strides = [result, Math.min(channel, tap), 0];
  return packed(operation, gather, { taps: 1, k: gather.k, strides }, capabilities);
}

interface Rows {
  readonly taps: number;
  /** K of a tap. */
  readonly k: number;
  /** Elements between result channels, K and taps. */
  readonly strides: readonly number[];
}

/** Weights as they are where they lie so already, packed otherwise. */
function packed(
  operation: ConvOperation,
  { resultChannels, uniforms: { weightGroupStride } }: Gather,
  { taps, k, strides: [resultStride, kStride, tapStride] }: Rows,
  capabilities: Capabilities,
): PackedWeights {
  const { groups } = operation.problem;
  const steps = [weightGroupStride, resultStride, taps === 1 ? 0 : tapStride];
  if (kStride === 1 && k % VECTOR === 0 && steps.every((step) => step % VECTOR === 0)) {
    return { binding: "w", k, strides: steps.map((step) => step / VECTOR), scratchBytes: {}, dispatches: [] };
  }
  const tapVectors = Math.ceil(k / VECTOR);
  const vectors = groups * resultChannels * taps * tapVectors;
  const types = elementTypes(operation);
  const pack = dispatch(kernel, {
    constants: {},
    types: { ...types, Result: vectorResults(types.Element, true).types.Result },
    uniforms: {
      threads: vectors,
      tapVectors,
      taps,
      resultChannels,
      k,
      weightStrides: [resultStride, kStride, tapStride],
      weightGroupStride,
    },
    bindings: { weight: "w", result: "weights packed" },
    workgroups: foldWorkgroups(Math.ceil(vectors / THREADS), capabilities),
  });
  return {
    binding: "weights packed",
    k: VECTOR * tapVectors,
    strides: [resultChannels * taps * tapVectors, taps * tapVectors, tapVectors],
    scratchBytes: { "weights packed": vectors * VECTOR * BYTES_PER_ELEMENT[operation.dtype] },
    dispatches: [pack],
  };
}
