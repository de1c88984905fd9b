/** What runs operations of a graph, kind by kind: files apart, of which `openModel` loads those that a graph needs. */
import type { Engine } from "../../../api/engine.js";
import { require, show } from "../../../base/errors.js";
import type { GraphNode, PlainActivation } from "../../../io/graph.js";
import type { Tensor } from "../../../tensor/tensor.js";
import type { enlargedCall } from "./enlarged.js";

/** What an operation runs on. */
export interface StepContext {
  readonly engine: Engine;
  readonly value: (name: string) => Tensor;
  readonly weight: (name: string) => Tensor;
  /** Whether batch norms go by the batch's own statistics. */
  readonly training: boolean;
}

export type Operation = GraphNode["op"];
/** Gives a new tensor. Operations that something is fused into apply the activation. */
export type Runner<Op extends Operation> = (
  node: Extract<GraphNode, { readonly op: Op }>,
  context: StepContext,
  activation: PlainActivation,
) => Tensor;
export type Runners = { readonly [Op in Operation]?: Runner<Op> } & {
  /** What makes one call of a convolution and the resizing before it. */
  readonly enlarged?: typeof enlargedCall;
};

/** Operations that every network has, which run without a runner. */
type Usual = "convolution" | "linear" | "activation";
export const isUsual = (op: Operation): op is Usual => op === "convolution" || op === "linear" || op === "activation";
export type AllRunners = Required<Omit<Runners, Usual>>;

export function requireAxes(x: Tensor, axes: number | undefined): void {
  require(axes === undefined || x.shape.length === axes, () => {
    return `x has shape ${show([...x.shape])}; expected ${String(axes)} axes, for which the file is written`;
  });
}
