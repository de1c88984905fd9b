/** Weights laid out for implicit GEMM, in whole vectors of four of K or of result channels. */
import kernel from "../../../shaders/implicit_gemm/pack_weights.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { type BindingSource, type Dispatch, dispatch, foldWorkgroups, type Scratch } from "../../planning/solver.js";
import { type ConvOperation, operandBytes } from "../../problem/operation.js";
import { operandTypes } from "../shared/constants.js";
import type { Gather } from "../shared/gather.js";

const THREADS = 64;
const VECTOR = 4;

export interface PackedWeights {
  readonly binding: BindingSource;
  /** Of what lies in vectors, rounded up to whole ones. */
  readonly k: number;
  /** Vectors between groups, rows and columns. */
  readonly strides: readonly number[];
  readonly scratchBytes: Scratch;
  readonly dispatches: readonly Dispatch[];
}

/** Weights tap by tap, each with its source channels in whole vectors: what tap GEMM reads. */
export function tapsPacked(operation: ConvOperation, gather: Gather, capabilities: Capabilities): PackedWeights {
  const { sourceChannels: k, uniforms } = gather;
  const sizes = { rows: gather.resultChannels, columns: operation.problem.taps, k, strides: uniforms.weightStrides };
  return packed(operation, gather, sizes, capabilities);
}

/**
 * Weights with the result channels of each tap and source channel in whole vectors: what tap GEMM reads where it has channels
 * along N. Strides are between groups, source channels and taps.
 */
export function resultsPacked(operation: ConvOperation, gather: Gather, capabilities: Capabilities): PackedWeights {
  const [result, source, tap] = gather.uniforms.weightStrides;
  const sizes = { rows: operation.problem.taps, columns: gather.sourceChannels, k: gather.resultChannels };
  const weights = packed(operation, gather, { ...sizes, strides: [tap, result, source] }, capabilities);
  const [groupStride, tapStride, sourceStride] = weights.strides;
  return { ...weights, strides: [groupStride, sourceStride, tapStride] };
}

/**
 * The weights of a forward pass with taps and channels as one K, in the order in which they lie: neighbours are always as far
 * apart. What implicit GEMM reads.
 */
export function rowsPacked(operation: ConvOperation, gather: Gather, capabilities: Capabilities): PackedWeights {
  const [result, channel, tap] = gather.uniforms.weightStrides;
  const strides = [result, Math.min(channel, tap), 0];
  return packed(operation, gather, { rows: gather.resultChannels, columns: 1, k: gather.k, strides }, capabilities);
}

/** Weights of a group, as pack_weights.wgsl names them. */
interface Sizes {
  readonly rows: number;
  readonly columns: number;
  readonly k: number;
  /** Elements between rows, K and columns. */
  readonly strides: readonly number[];
}

/** Weights as they are where they lie so already, packed otherwise. */
function packed(
  operation: ConvOperation,
  { uniforms: { weightGroupStride } }: Gather,
  { rows, columns, k, strides: [rowStride, kStride, columnStride] }: Sizes,
  capabilities: Capabilities,
): PackedWeights {
  const { groups } = operation.problem;
  const steps = [weightGroupStride, rows === 1 ? 0 : rowStride, columns === 1 ? 0 : columnStride];
  if (kStride === 1 && k % VECTOR === 0 && steps.every((step) => step % VECTOR === 0)) {
    return { binding: "w", k, strides: steps.map((step) => step / VECTOR), scratchBytes: {}, dispatches: [] };
  }
  const kVectors = Math.ceil(k / VECTOR);
  const vectors = groups * rows * columns * kVectors;
  const pack = dispatch(kernel, {
    constants: { HALVES: operation.halves === true },
    types: operandTypes(operation),
    uniforms: {
      threads: vectors,
      kVectors,
      columns,
      rows,
      k,
      weightStrides: [rowStride, kStride, columnStride],
      weightGroupStride,
    },
    bindings: { weight: "w", result: "weights packed" },
    workgroups: foldWorkgroups(Math.ceil(vectors / THREADS), capabilities),
  });
  return {
    binding: "weights packed",
    k: VECTOR * kVectors,
    strides: [rows * columns * kVectors, columns * kVectors, kVectors],
    scratchBytes: { "weights packed": vectors * VECTOR * operandBytes(operation) },
    dispatches: [pack],
  };
}
