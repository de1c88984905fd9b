/**
 * Forward passes and input gradients in two stages: where there are few results, and many terms to each, the terms are
 * split among workgroups. Each split writes a partial result, and a second dispatch adds them in a fixed order, so that
 * the bits do not depend on timing.
 */
import kernel from "../../../shaders/passes/sum_splits.wgsl";
import { product } from "../../problem/geometry.js";
import type { Capabilities } from "../../planning/capabilities.js";
import { type DevicePolicy, policyOf } from "../../planning/policy.js";
import { type ConvOperation, resultRoles, shapeOfRole } from "../../problem/operation.js";
import { type BindingSource, type Dispatch, dispatch, foldWorkgroups, type Scratch } from "../../planning/solver.js";
import { BATCH_BLOCKS, inRegisters } from "../shared/blocks.js";
import { activationConstants, elementTypes, type ScalarElement, vectorResults } from "../shared/constants.js";
import { type Gather, slopesOf } from "../shared/gather.js";
import { chooseSplits, dealOut, leastSplits, partialBytes, splitsRefusal } from "../shared/splits.js";

const THREADS = 64;

/** What a kernel's sums run over. */
export interface ResultTerms {
  /** Workgroups that one split takes. */
  readonly tasks: number;
  /** What is dealt out to splits: terms, or blocks of them. */
  readonly depth: number;
  /** As many are dealt out at a time. */
  readonly unit?: number;
  /** As many are summed before they are added to the others (blocks.ts). */
  readonly blockDepth: number;
  /** Sums of a thread. */
  readonly sums: number;
}

/** Of sums that `cutWalk` has cut. */
export const blocksOf = (tasks: number, { blocks }: { readonly blocks: number }, sums: number): ResultTerms => ({
  tasks,
  depth: blocks,
  blockDepth: 1,
  sums,
});

/** What is left to do for a kernel whose sums are split, and what it is to be given itself. */
export interface ResultSums {
  readonly splits: number;
  readonly constants: {
    readonly SPLIT: boolean;
    readonly BLOCKED: boolean;
    readonly IN_REGISTERS: boolean;
    readonly HAS_BIAS: boolean;
    readonly HAS_RESIDUAL: boolean;
    readonly ACTIVATION: number;
  };
  readonly types: { readonly Result: ScalarElement };
  readonly perSplit: number;
  readonly resultElements: number;
  readonly bindings: Readonly<Record<"bias" | "residual" | "result", BindingSource>>;
  readonly scratchBytes: Scratch;
  readonly reduction: readonly Dispatch[];
}

const elementsOf = (operation: ConvOperation): number => product(shapeOfRole(operation, resultRoles(operation)[0]));

/** How many ways to split, unless it is said. */
export function resultSplits(
  operation: ConvOperation,
  { tasks, depth }: { readonly tasks: number; readonly depth: number },
  capabilities: Capabilities,
): number {
  const { busyResultWorkgroups: busy, splitLeastK } = policyOf(capabilities);
  if (2 * tasks >= busy) return 1;
  return chooseSplits({ tasks, busy, elements: elementsOf(operation), depth, leastDepth: splitLeastK }, capabilities);
}

/** Splits that the sums of a pass have terms for. */
export const mostSplits = ({ depth }: Gather, { splitLeastK }: DevicePolicy): number =>
  Math.max(1, Math.floor(depth / splitLeastK));

/** Why an operation cannot be split so many ways; undefined when it can. */
export const resultSplitsRefusal = (
  operation: ConvOperation,
  splits: number,
  capabilities: Capabilities,
): string | undefined => splitsRefusal(splits, elementsOf(operation), capabilities);

/**
 * Of a pass that `gather` describes, split as many ways as asked for; fewer if there is not enough for each, and more if each
 * sum would get too long. Where sums take several blocks, and results are not float32, one split is still a partial result.
 */
export function resultSums(
  operation: ConvOperation,
  gather: Gather,
  { depth, unit, blockDepth, sums }: ResultTerms,
  splitsWanted: number,
  capabilities: Capabilities,
): ResultSums {
  const elements = elementsOf(operation);
  const least = leastSplits({ depth, mostDepth: BATCH_BLOCKS * blockDepth, elements }, capabilities);
  const { perSplit, splits } = dealOut(depth, Math.max(splitsWanted, least), unit);
  const blocks = { BLOCKED: perSplit > blockDepth, IN_REGISTERS: inRegisters(sums, capabilities) };
  const isFloat32 = operation.dtype === "float32" || !blocks.BLOCKED || blocks.IN_REGISTERS;
  const { bias, residual, result } = gather.bindings;
  const fused = { ...activationConstants(operation), HAS_BIAS: operation.bias, HAS_RESIDUAL: operation.residual };
  const types = elementTypes(operation);
  if (splits === 1 && isFloat32) {
    return {
      splits,
      perSplit,
      resultElements: elements,
      constants: { SPLIT: false, ...blocks, ...fused },
      types: { Result: types.Element },
      bindings: { bias, residual, result },
      scratchBytes: {},
      reduction: [],
    };
  }
  const { groups } = operation.problem;
  const { resultChannels, resultStrides } = gather.uniforms;
  const results = vectorResults(types.Element, false);
  const reduction = dispatch(kernel, {
    constants: { ...fused, ...results.constants },
    types: { ...types, ...results.types },
    uniforms: { elements, splits, channels: groups * resultChannels, channelStride: resultStrides[1] },
    bindings: { partials: "partials", bias, residual, activated: slopesOf(operation), result },
    workgroups: foldWorkgroups(Math.ceil(elements / THREADS), capabilities),
  });
  return {
    splits,
    perSplit,
    resultElements: elements,
    constants: { SPLIT: true, ...blocks, HAS_BIAS: false, HAS_RESIDUAL: false, ACTIVATION: 0 },
    types: { Result: "f32" },
    bindings: { bias: "unused", residual: "unused", result: "partials" },
    scratchBytes: { partials: partialBytes(splits, elements) },
    reduction: [reduction],
  };
}
