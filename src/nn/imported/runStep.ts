/** Runs an operation of a graph, with what is fused into it. */
import { require, show } from "../../base/errors.js";
import type {
  ActivationNode,
  ArithmeticNode,
  ConvolutionNode,
  LinearNode,
  PlainActivation,
  ResizeNode,
} from "../../io/graph.js";
import { makeProblem } from "../../problem/problem.js";
import { makeTransposedProblem } from "../../problem/transposed.js";
import type { Tensor } from "../../tensor/tensor.js";
import { activate } from "../operations/activate.js";
import { linear } from "../operations/linear.js";
import { convolutionOptions } from "./byShape.js";
import type { FusedStep } from "./fuse.js";
import { type Operation, requireAxes, type Runner, type Runners, type StepContext } from "./runners/runner.js";

/**
 * Runs products and activations, and what else `runners` have.
 *
 * @returns a new tensor
 */
export function runStep(step: FusedStep, context: StepContext, runners: Runners): Tensor {
  const { node, enlarger, activation = "none" } = step;
  const { value, weight } = context;
  if (node.op === "convolution" && enlarger) return runEnlarged(node, enlarger, step, context, runners);
  switch (node.op) {
    case "convolution":
    case "linear":
      return runProduct(node, step, context, runners);
    case "activation": {
      const { activation: own, layout, axes } = node;
      requireAxes(value(node.x), axes);
      const activated = isPrelu(own) ? ({ name: "prelu", slope: weight(own.slope) } as const) : own;
      return activate(value(node.x), activated, { layout });
    }
    default: {
      const run = runners[node.op] as Runner<Operation> | undefined;
      if (!run) throw new Error(`nothing runs ${node.op}`);
      return run(node, context, activation);
    }
  }
}

const isPrelu = (
  activation: ActivationNode["activation"],
): activation is Exclude<ActivationNode["activation"], PlainActivation> =>
  typeof activation === "object" && activation.name === "prelu";

/** A convolution of a map that is enlarged first: in one pass where it can be. */
function runEnlarged(
  node: ConvolutionNode,
  enlarger: ResizeNode,
  step: FusedStep,
  context: StepContext,
  runners: Runners,
): Tensor {
  const x = context.value(enlarger.x);
  const call = context.training ? undefined : runners.enlarged?.(node, enlarger, x, context.weight(node.weight));
  if (call) {
    const { weight, options } = call;
    const weightOf = (name: string): Tensor => (name === node.weight ? weight : context.weight(name));
    try {
      const transposed = { ...node, x: enlarger.x, transposed: true, options };
      return runProduct(transposed, step, { ...context, weight: weightOf }, runners);
    } finally {
      weight.dispose();
    }
  }
  const large = runStep({ node: enlarger, output: node.x, last: [] }, context, runners);
  const value = (name: string): Tensor => (name === node.x ? large : context.value(name));
  try {
    return runProduct(node, step, { ...context, value }, runners);
  } finally {
    large.dispose();
  }
}

/** The sum is part of the pass where it has the shape of the result; else it follows, and the activation with it. */
function runProduct(
  node: ConvolutionNode | LinearNode,
  { residual, activation = "none" }: FusedStep,
  context: StepContext,
  runners: Runners,
): Tensor {
  const x = context.value(node.x);
  if (!residual) return multiply(node, x, { activation }, context);
  const tensor = context.value(residual.value);
  const shape = resultShape(node, x, context.weight(node.weight));
  if (shape.length === tensor.shape.length && shape.every((extent, axis) => extent === tensor.shape[axis]))
    return multiply(node, x, { residual: tensor, activation }, context);
  const z = multiply(node, x, {}, context);
  const [a, b] = [node.output, residual.value];
  const sum: ArithmeticNode = { ...node, op: "arithmetic", how: "add", a, b, layout: residual.layout };
  const y = runStep(
    { node: sum, activation, output: "", last: [] },
    { ...context, value: (name) => (name === a ? z : context.value(name)) },
    runners,
  );
  z.dispose();
  return y;
}
function resultShape(node: ConvolutionNode | LinearNode, x: Tensor, w: Tensor): readonly number[] {
  if (node.op === "linear") return [...x.shape.slice(0, -1), w.shape[0]];
  const { rank, transposed } = node;
  const options = convolutionOptions(node, x.shape, w.shape);
  return transposed
    ? makeTransposedProblem(rank, x.shape, w.shape, options).inputShape
    : makeProblem(rank, x.shape, w.shape, options).outputShape;
}

interface Fused {
  readonly residual?: Tensor;
  readonly activation?: PlainActivation;
}

function multiply(
  node: ConvolutionNode | LinearNode,
  x: Tensor,
  fused: Fused,
  { engine, weight }: StepContext,
): Tensor {
  const w = weight(node.weight);
  const more = { ...fused, ...(node.bias !== undefined && { bias: weight(node.bias) }) };
  if (node.op === "linear") return linear(x, w, more);
  const { rank, transposed } = node;
  const call = { ...convolutionOptions(node, x.shape, w.shape), ...more };
  if (transposed) {
    if (rank === 1) return engine.convTranspose1d(x, w, call);
    return rank === 2 ? engine.convTranspose2d(x, w, call) : engine.convTranspose3d(x, w, call);
  }
  if (rank === 1) return engine.conv1d(x, w, call);
  return rank === 2 ? engine.conv2d(x, w, call) : engine.conv3d(x, w, call);
}

/** A value of a run, by name. */
export function valueOf(values: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const tensor = values.get(name);
  require(tensor !== undefined, () =>
    `there is no value ${show(name)} yet; expected the layer within its network's forward`);
  return tensor;
}
