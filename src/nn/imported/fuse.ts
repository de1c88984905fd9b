/** Operations of a graph that run in one pass: a sum and an activation with the convolution, or what else, before it. */
import { type Graph, type GraphNode, type PlainActivation, type ResizeNode, valuesOf } from "../../io/graph.js";
import type { Layout } from "../../problem/layout.js";
import { enlargerOf } from "./enlarge.js";
import { readersOf } from "./readers.js";

/** An operation, and what is fused into it. */
export interface FusedStep {
  readonly node: GraphNode;
  /** Added to its result, before the activation; where it has another shape than that, in a pass of its own. */
  readonly residual?: { readonly value: string; readonly layout: Layout };
  readonly activation?: PlainActivation;
  /** What enlarges its x first, in the same pass where it can (runners/enlarged.ts). */
  readonly enlarger?: ResizeNode | undefined;
  /** The value that it computes with all of that. */
  readonly output: string;
  /** Values that nothing reads afterwards, but for the graph's own inputs and outputs. */
  readonly last: readonly string[];
}

type Fusing = Omit<FusedStep, "last">;

/** Steps in order. Each computes what is read in the place of the last operation that it has. */
export function fuseSteps(graph: Graph): FusedStep[] {
  const readers = readersOf(graph);
  const steps = new Map<string, Fusing>();
  /** The step of a value that one operation alone reads, with which it can be one. */
  const stepBefore = (value: string): Fusing | undefined => (readers.get(value) === 1 ? steps.get(value) : undefined);
  for (const node of graph.nodes) {
    const fused = withSum(node, stepBefore) ?? withActivation(node, stepBefore) ?? withEnlarger(node, stepBefore);
    if (fused) steps.delete(fused.before);
    const own = ownActivation(node);
    // What was taken out comes back at the end.
    steps.set(node.output, fused?.step ?? { node, ...(own !== undefined && { activation: own }), output: node.output });
  }
  return withLast([...steps.values()], graph);
}

const ownActivation = (node: GraphNode): PlainActivation | undefined =>
  node.op !== "activation" && "activation" in node ? node.activation : undefined;

type StepBefore = (value: string) => Fusing | undefined;
interface Fused {
  readonly step: Fusing;
  /** The value that nothing computes any more. */
  readonly before: string;
}

/** Of a sum: a product that it alone reads, the later one of two. */
function withSum(node: GraphNode, stepBefore: StepBefore): Fused | undefined {
  if (node.op !== "arithmetic" || node.how !== "add" || node.a === node.b) return undefined;
  const { a, b, layout, activation, output } = node;
  if (typeof a !== "string" || typeof b !== "string") return undefined;
  for (const [before, value] of [
    [b, a],
    [a, b],
  ]) {
    const step = stepBefore(before);
    const isProduct = step?.node.op === "convolution" || step?.node.op === "linear";
    if (step && isProduct && !step.residual && step.activation === undefined)
      return {
        before,
        step: { ...step, residual: { value, layout }, ...(activation !== undefined && { activation }), output },
      };
  }
  return undefined;
}

/** Of an activation: what has none, and can apply one in the same pass. */
function withActivation(node: GraphNode, stepBefore: StepBefore): Fused | undefined {
  if (node.op !== "activation") return undefined;
  const { activation, output, x: before } = node;
  if (typeof activation === "object" && activation.name === "prelu") return undefined;
  const step = stepBefore(before);
  if (!step || step.activation !== undefined || !appliesActivation(step.node)) return undefined;
  return { before, step: { ...step, activation, output } };
}

/** Of a convolution: what enlarges the map that it alone reads. */
function withEnlarger(node: GraphNode, stepBefore: StepBefore): Fused | undefined {
  if (node.op !== "convolution") return undefined;
  const enlarger = enlargerOf(node, stepBefore(node.x)?.node);
  const own = ownActivation(node);
  return (
    enlarger && {
      before: node.x,
      step: { node, enlarger, ...(own !== undefined && { activation: own }), output: node.output },
    }
  );
}

const appliesActivation = (node: GraphNode): boolean =>
  node.op === "convolution" ||
  node.op === "linear" ||
  node.op === "batchNorm" ||
  node.op === "instanceNorm" ||
  (node.op === "arithmetic" && node.how === "add");

/** All that a step reads. */
export const readBy = ({
  node,
  enlarger,
  residual,
}: Pick<FusedStep, "node" | "enlarger" | "residual">): readonly string[] => [
  ...valuesOf(enlarger ?? node),
  ...(residual ? [residual.value] : []),
];

function withLast(steps: readonly Fusing[], { inputs, outputs }: Graph): FusedStep[] {
  const kept = new Set([...inputs.map(({ name }) => name), ...outputs]);
  const backwards = [...steps].reverse().map((step): FusedStep => {
    const last = [...new Set(readBy(step))].filter((value) => !kept.has(value));
    for (const value of last) kept.add(value);
    return { ...step, last };
  });
  return backwards.reverse();
}
