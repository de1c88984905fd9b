/** Small operations that the kernels of a large one compute, texts and all: what they get right there says what they do here. */
import { ConvError } from "../base/errors.js";
import { orderName, type WeightLayout } from "../problem/layout.js";
import { type ConvOperation, elementsOf, operandRoles, sumsProducts } from "../problem/operation.js";
import { type ConvProblem, makeProblem } from "../problem/problem.js";
import { makeUnsharedProblem } from "../problem/unshared.js";
import type { SolverPlan } from "../planning/solver.js";
import { textKeys } from "./keys.js";
import { shrink, smallest } from "./shrink.js";

/** The most multiply-adds of a twin: milliseconds for the reference. */
const MOST_MULTIPLY_ADDS = 18_000_000;

/** What may be smaller. Positions are the output's. */
interface Sizes {
  readonly batch: number;
  readonly groups: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly depth: number;
  readonly height: number;
  readonly width: number;
}

/** At least so many, so that there are several tiles, edges and rounds of a loop: the first that take no longer than is wanted. */
const WANTED: readonly Sizes[] = [
  { batch: 2, groups: 2, inChannels: 20, outChannels: 66, depth: 2, height: 5, width: 34 },
  { batch: 2, groups: 2, inChannels: 10, outChannels: 34, depth: 2, height: 5, width: 18 },
  { batch: 2, groups: 2, inChannels: 6, outChannels: 6, depth: 2, height: 4, width: 9 },
];
const WANTED_MULTIPLY_ADDS = 2 ** 21;
/** Where kernels know so much of their sizes that they do not run those: each as small as that allows. */
const SMALLEST: Sizes = { batch: 1, groups: 2, inChannels: 4, outChannels: 4, depth: 2, height: 3, width: 5 };
const NAMES = Object.keys(SMALLEST) as (keyof Sizes)[];
/** What is gained by one size may be lost by another. */
const ORDERS = [NAMES, [...NAMES].reverse()];

/** An operation, and the plan by which the same kernels run it. */
export interface Twin {
  readonly operation: ConvOperation;
  readonly plan: SolverPlan;
}

/**
 * The operation with each size as small as its kernels allow; undefined where they know so much of it that it would still take long.
 *
 * @param planOf the plan of an operation by the same solver and configuration; undefined where that refuses it
 */
export function twinOf(
  operation: ConvOperation,
  plan: SolverPlan,
  planOf: (operation: ConvOperation) => SolverPlan | undefined,
): Twin | undefined {
  const keys = textKeys(plan);
  const { batch, groups, inChannelsPerGroup, outChannelsPerGroup, output } = operation.problem;
  const [depth, height, width] = output;
  const whole: Sizes = {
    batch,
    groups,
    inChannels: inChannelsPerGroup,
    outChannels: outChannelsPerGroup,
    depth,
    height,
    width,
  };
  const attempt = (sizes: Sizes, most = Infinity): Twin | undefined => {
    const problem = resized(operation.problem, sizes);
    if (!problem || problem.multiplyAdds > most) return undefined;
    const { pixels, activation, direction } = operation;
    const channels = direction === "inputGradient" ? problem.inChannels : problem.outChannels;
    const smaller = {
      ...operation,
      problem,
      pixels: pixels && { ...pixels, positions: problem.inputPositions },
      activation:
        activation.name === "prelu" && activation.slopes > 1 ? { ...activation, slopes: channels } : activation,
    };
    const itsPlan = planOf(smaller);
    const its = itsPlan && new Set(textKeys(itsPlan));
    return its && keys.every((key) => its.has(key)) ? { operation: smaller, plan: itsPlan } : undefined;
  };
  for (const least of WANTED) {
    let sizes = whole;
    for (const name of NAMES) sizes = { ...sizes, [name]: shrink(whole[name], least[name], 16) };
    const twin = attempt(sizes, WANTED_MULTIPLY_ADDS);
    if (twin) return twin;
  }
  const twins = ORDERS.map((names) => smallest(whole, names, (name) => SMALLEST[name], attempt) ?? { operation, plan });
  const [least] = twins.sort((a, b) => workOf(a.operation) - workOf(b.operation));
  return workOf(least.operation) <= MOST_MULTIPLY_ADDS ? least : undefined;
}

/** Multiply-adds, or values that are read. */
const workOf = (operation: ConvOperation): number =>
  sumsProducts(operation) ? operation.problem.multiplyAdds : elementsOf(operation, operandRoles(operation));

/** The problem with other sizes; undefined where no such problem exists. */
function resized(problem: ConvProblem, sizes: Sizes): ConvProblem | undefined {
  const { rank, layout, weightOrder, paddingMode, padBegin, padEnd, stride, dilation, kernel, output } = problem;
  const { batch, groups, inChannels, outChannels, depth, height, width } = sizes;
  const axes = [0, 1, 2].slice(3 - rank);
  const positions = [depth, height, width];
  const extents = axes.map((axis) => problem.input[axis] - stride[axis] * (output[axis] - positions[axis]));
  const channels = groups * inChannels;
  const shape = layout === "channels-first" ? [channels, ...extents] : [...extents, channels];
  const taps = axes.map((axis) => kernel[axis]);
  const weight = { O: [groups * outChannels], I: [inChannels], S: taps };
  const weightShape = Array.from(weightOrder).flatMap((letter) => weight[letter as keyof typeof weight]);
  const options = {
    stride: axes.map((axis) => stride[axis]),
    dilation: axes.map((axis) => dilation[axis]),
    padding: axes.map((axis) => [padBegin[axis], padEnd[axis]] as const),
    groups,
    paddingMode,
    layout,
  };
  try {
    if (problem.weightPositionStride > 0) {
      const given = [...axes.map((axis) => positions[axis]), ...weightShape];
      return makeUnsharedProblem(rank, [batch, ...shape], given, options);
    }
    const weightLayout = orderName(weightOrder, rank) as WeightLayout;
    return makeProblem(rank, [batch, ...shape], weightShape, { ...options, weightLayout });
  } catch (error) {
    if (error instanceof ConvError) return undefined;
    throw error;
  }
}
