/**
 * Forward passes and input gradients in two stages: where there are few results, and many terms to each, the terms are
 * split among workgroups. Each split writes a partial result, and a second dispatch adds them in a fixed order, so that
 * the bits do not depend on timing.
 */
import kernel from "../../shaders/sum_splits.wgsl";
import { product } from "../geometry.js";
import type { Capabilities } from "../gpu/capabilities.js";
import type { AliasTypes } from "../gpu/specialize.js";
import { type ConvOperation, resultRoles, shapeOfRole } from "../operation.js";
import { type BindingSource, type Dispatch, dispatch, foldWorkgroups, type Scratch } from "../solver.js";
import { activationConstants, elementTypes } from "./constants.js";
import { type Gather, slopesOf } from "./gather.js";
import { chooseSplits, dealOut, partialBytes, splitsRefusal } from "./splits.js";

const THREADS = 64;
/** Terms below which a split is not worth its partial result. */
const LEAST_TERMS = 256;
/** Workgroups that keep a device busy. Half as many do, too: a split costs a second dispatch. */
const ENOUGH_TASKS = { software: 4, gpu: 256 };

/** What a kernel's sums run over. */
export interface ResultTerms {
  /** Workgroups that one split takes. */
  readonly tasks: number;
  /** What is dealt out to splits: terms, or groups of them. */
  readonly depth: number;
  /** Terms in each of those. */
  readonly terms?: number;
  /** As many are dealt out at a time. */
  readonly unit?: number;
}

/** What is left to do for a kernel whose sums are split, and what it is to be given itself. */
export interface ResultSums {
  readonly splits: number;
  readonly constants: {
    readonly SPLIT: boolean;
    readonly HAS_BIAS: boolean;
    readonly HAS_RESIDUAL: boolean;
    readonly ACTIVATION: number;
  };
  readonly types: AliasTypes;
  readonly uniforms: { readonly termsPerSplit: number; readonly resultElements: number };
  readonly bindings: Readonly<Record<"bias" | "residual" | "result", BindingSource>>;
  readonly scratchBytes: Scratch;
  readonly reduction: readonly Dispatch[];
}

const elementsOf = (operation: ConvOperation): number => product(shapeOfRole(operation, resultRoles(operation)[0]));

/** How many ways to split, unless it is said. */
export function resultSplits(
  operation: ConvOperation,
  { tasks, depth, terms = 1 }: ResultTerms,
  capabilities: Capabilities,
): number {
  const enough = capabilities.software ? ENOUGH_TASKS.software : ENOUGH_TASKS.gpu;
  if (2 * tasks >= enough) return 1;
  const leastDepth = Math.ceil(LEAST_TERMS / terms);
  return chooseSplits({ tasks, elements: elementsOf(operation), depth, leastDepth }, capabilities, ENOUGH_TASKS);
}

/** Splits that the sums of a pass have terms for. */
export const mostSplits = ({ depth }: Gather): number => Math.max(1, Math.floor(depth / LEAST_TERMS));

/** Why an operation cannot be split so many ways; undefined when it can. */
export const resultSplitsRefusal = (
  operation: ConvOperation,
  splits: number,
  capabilities: Capabilities,
): string | undefined => splitsRefusal(splits, elementsOf(operation), capabilities);

/** Of a pass that `gather` describes, split as many ways as asked for, or fewer if there is not enough for each. */
export function resultSums(
  operation: ConvOperation,
  gather: Gather,
  { depth, unit }: ResultTerms,
  splitsWanted: number,
  capabilities: Capabilities,
): ResultSums {
  const { perSplit, splits } = dealOut(depth, splitsWanted, unit);
  const { bias, residual, result } = gather.bindings;
  const elements = elementsOf(operation);
  const uniforms = { termsPerSplit: perSplit, resultElements: elements };
  const fused = { ...activationConstants(operation), HAS_BIAS: operation.bias, HAS_RESIDUAL: operation.residual };
  const types = elementTypes(operation);
  if (splits === 1) {
    return {
      splits,
      constants: { SPLIT: false, ...fused },
      types: { Result: types.Element },
      uniforms,
      bindings: { bias, residual, result },
      scratchBytes: {},
      reduction: [],
    };
  }
  const { groups } = operation.problem;
  const { resultChannels, resultStrides } = gather.uniforms;
  const reduction = dispatch(kernel, {
    constants: fused,
    types,
    uniforms: { elements, splits, channels: groups * resultChannels, channelStride: resultStrides[1] },
    bindings: { partials: "partials", bias, residual, slopes: slopesOf(operation), result },
    workgroups: foldWorkgroups(Math.ceil(elements / THREADS), capabilities),
  });
  return {
    splits,
    constants: { SPLIT: true, HAS_BIAS: false, HAS_RESIDUAL: false, ACTIVATION: 0 },
    types: { Result: "f32" },
    uniforms,
    bindings: { bias: "unused", residual: "unused", result: "partials" },
    scratchBytes: { partials: partialBytes(splits, elements) },
    reduction: [reduction],
  };
}
