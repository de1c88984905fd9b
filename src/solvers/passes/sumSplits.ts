/**
 * Forward passes and input gradients in two stages: where there are few results and K is long, K is split among
 * workgroups. Each split writes a partial result, and a second dispatch adds them in a fixed order, so that
 * the bits do not depend on timing.
 */
import kernel from "../../../shaders/passes/sum_splits.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { policyOf } from "../../planning/policy.js";
import { type ConvOperation, elementsOf, resultRoles } from "../../problem/operation.js";
import { type BindingSource, type Dispatch, dispatch, foldWorkgroups, type Scratch } from "../../planning/solver.js";
import { BATCH_BLOCKS, inRegisters } from "../shared/blocks.js";
import {
  activationConstants,
  elementTypes,
  operandTypes,
  type ScalarElement,
  vectorResults,
} from "../shared/constants.js";
import { type Gather, slopesOf } from "../shared/gather.js";
import { chooseSplitK, divideEvenly, leastSplitK, partialBytes, splitKRefusal } from "../shared/splits.js";

const THREADS = 64;

/** What a kernel's sums run over. */
export interface ResultTerms {
  /** Workgroups that one split takes. */
  readonly tasks: number;
  /** What is divided among splits: K, or blocks of it. */
  readonly k: number;
  /** K is divided in multiples of this; 1 when absent. */
  readonly unit?: number;
  /** K of a block, which is summed before it is added to the others (blocks.ts). */
  readonly blockK: number;
  /** Sums of a thread. */
  readonly sums: number;
}

/** What sums run over that `cutWalk` has cut. */
export const blocksOf = (tasks: number, { blocks }: { readonly blocks: number }, sums: number): ResultTerms => ({
  tasks,
  k: blocks,
  blockK: 1,
  sums,
});

/** What a kernel is given whose sums may be split, and the second stage that follows it. */
export interface ResultSums {
  readonly splitK: number;
  readonly constants: {
    readonly SPLIT_K: boolean;
    readonly BLOCKED: boolean;
    readonly IN_REGISTERS: boolean;
    readonly HAS_BIAS: boolean;
    readonly HAS_RESIDUAL: boolean;
    readonly ACTIVATION: number;
    readonly FORMULA: boolean;
  };
  readonly types: { readonly Result: ScalarElement };
  /**
   * Where operands are packed pairs of float16 (ConvOperation.halves): whether results can be, too. Those in vectors, if no
   * sums of blocks are added up in them; all, where the second stage writes them.
   */
  readonly packs: "never" | "vectors" | "always";
  readonly perSplit: number;
  readonly resultElements: number;
  readonly bindings: Readonly<Record<"bias" | "residual" | "result", BindingSource>>;
  readonly scratchBytes: Scratch;
  readonly reduction: readonly Dispatch[];
}

/** Elements of a pass' result. */
export const resultElements = (operation: ConvOperation): number => elementsOf(operation, resultRoles(operation));

/** How many ways to split, unless it is said. */
export function resultSplitK(
  operation: ConvOperation,
  { tasks, k }: { readonly tasks: number; readonly k: number },
  capabilities: Capabilities,
): number {
  const { busyResultWorkgroups: busy, splitLeastK } = policyOf(capabilities);
  if (2 * tasks >= busy && capabilities.splitK === undefined) return 1;
  return chooseSplitK({ tasks, busy, elements: resultElements(operation), k, leastK: splitLeastK }, capabilities);
}

/** Why an operation cannot be split so many ways; undefined when it can. */
export const resultSplitKRefusal = (
  operation: ConvOperation,
  splitK: number,
  capabilities: Capabilities,
): string | undefined => splitKRefusal(splitK, resultElements(operation), capabilities);

/**
 * The sums of a pass that `gather` describes, split as many ways as asked for. They are fewer where K is too short for so
 * many, and more where each would be too long. One split writes a partial result, too, where sums take several blocks and
 * results are not float32.
 */
export function resultSums(
  operation: ConvOperation,
  gather: Gather,
  { k, unit, blockK, sums }: ResultTerms,
  splitKWanted: number,
  capabilities: Capabilities,
): ResultSums {
  const elements = resultElements(operation);
  const least = leastSplitK({ k, mostK: BATCH_BLOCKS * blockK, elements }, capabilities);
  const { perSplit, splitK } = divideEvenly(k, Math.max(splitKWanted, least), unit);
  const blocks = { BLOCKED: perSplit > blockK, IN_REGISTERS: inRegisters(sums, capabilities) };
  const isFloat32 = operation.dtype === "float32" || !blocks.BLOCKED || blocks.IN_REGISTERS;
  const { bias, residual, result } = gather.bindings;
  const fused = { ...activationConstants(operation), HAS_BIAS: operation.bias, HAS_RESIDUAL: operation.residual };
  const { Element } = elementTypes(operation);
  const { halves = false } = operation;
  const { finishesApart = false } = capabilities;
  if (splitK === 1 && isFloat32 && !finishesApart) {
    return {
      splitK,
      perSplit,
      resultElements: elements,
      constants: { SPLIT_K: false, ...blocks, ...fused },
      types: { Result: Element },
      packs: halves && (!blocks.BLOCKED || blocks.IN_REGISTERS) ? "vectors" : "never",
      bindings: { bias, residual, result },
      scratchBytes: {},
      reduction: [],
    };
  }
  // Bias, residual and slopes at once would be more than what finishes apart can bind.
  const biasFirst = finishesApart && splitK === 1 && operation.residual && operation.activation.name === "prelu";
  const finish = finishSums(operation, gather, splitK, capabilities, biasFirst);
  return {
    splitK,
    perSplit,
    resultElements: elements,
    packs: halves ? "always" : "never",
    ...finish,
    constants: { SPLIT_K: true, ...blocks, ...finish.constants },
  };
}

/**
 * The second stage, which adds partial results and finishes them, and what is left to the first one.
 *
 * @param biasFirst whether the first stage adds the bias
 */
export function finishSums(
  operation: ConvOperation,
  gather: Gather,
  splitK: number,
  capabilities: Capabilities,
  biasFirst: boolean,
) {
  const { halves = false, bias: hasBias, residual: hasResidual, problem } = operation;
  const elements = resultElements(operation);
  const { resultChannels, resultStrides } = gather.uniforms;
  const { bias, residual, result } = gather.bindings;
  const results = vectorResults(elementTypes(operation).Element, false, { halves, packs: halves });
  const threads = halves ? Math.ceil(elements / 2) : elements;
  const addsBias = hasBias && !biasFirst;
  const reduction = dispatch(kernel, {
    constants: {
      ...activationConstants(operation),
      HAS_BIAS: addsBias,
      HAS_RESIDUAL: hasResidual,
      ...results.constants,
    },
    types: { Element: operandTypes(operation).Element, ...results.types },
    uniforms: { elements, splitK, channels: problem.groups * resultChannels, channelStride: resultStrides[1] },
    bindings: {
      partials: "partials",
      bias: addsBias ? bias : "unused",
      residual,
      activated: slopesOf(operation),
      result,
    },
    workgroups: foldWorkgroups(Math.ceil(threads / THREADS), capabilities),
  });
  const leftOut = { HAS_RESIDUAL: false, ACTIVATION: 0, FORMULA: false };
  const first: BindingSource = hasBias && biasFirst ? bias : "unused";
  return {
    constants: { ...leftOut, HAS_BIAS: hasBias && biasFirst },
    types: { Result: "f32" },
    bindings: { bias: first, residual: "unused", result: "partials" },
    scratchBytes: { partials: partialBytes(splitK, elements) },
    reduction: [reduction],
  } as const satisfies Partial<Omit<ResultSums, "constants">> & { readonly constants: object };
}
