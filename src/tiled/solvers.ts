/**
 * Which solver a layer's tiles get: the whole's, with its configuration, where that adds in the same order for the tile. So bits
 * do not depend on tiles.
 */
import type { CoreBackend } from "../backend/backend.js";
import { ConvError, LimitError } from "../base/errors.js";
import type { Call } from "../calls/calls.js";
import type { SolverChoice } from "../planning/choice.js";
import { type Alignment, alignmentOf, orderOf } from "../planning/order.js";
import type { SolverPlan } from "../planning/solver.js";
import type { ConvOperation } from "../problem/operation.js";
import { dilatedExtent } from "../problem/geometry.js";
import { partProblem } from "../problem/part.js";
import type { ConvProblem } from "../problem/problem.js";
import type { TileHost } from "./host.js";
import type { Layer } from "./layers.js";

/** A plan, with the choice that makes it; no choice on the CPU. */
export interface PlannedTile {
  readonly plan: SolverPlan;
  readonly choice: SolverChoice | undefined;
}

/** Splits of a sum that a whole may have: those that a solver chooses by itself are not in its configuration. */
const SPLITS = Array.from({ length: 512 }, (_, i) => i + 1);

/** A layer of the whole, as far as its solver depends on it. */
export type SolvedLayer = Pick<Layer, "problem" | "transposed"> & { readonly call: Pick<Call, "operation" | "solver"> };

/** Plans the tiles of one layer. */
export class LayerSolver {
  readonly alignment: Alignment;
  readonly #backend: CoreBackend;
  readonly #whole: SolverPlan;
  readonly #order: string;
  readonly #planned = new Map<string, PlannedTile | undefined>();

  constructor({ backend, choiceFor }: TileHost, layer: SolvedLayer) {
    const { operation, solver } = layer.call;
    this.#backend = backend;
    this.#whole = planWhole(backend, operation, solver ?? choiceFor(operation));
    this.#order = orderOf(this.#whole);
    this.alignment = alignmentOf(layer, this.#whole);
  }

  /** The plan for a tile; undefined where none adds in the whole's order. */
  planFor(operation: ConvOperation): PlannedTile | undefined {
    const { key } = operation.problem;
    if (!this.#planned.has(key)) this.#planned.set(key, this.#plan(operation));
    return this.#planned.get(key);
  }

  #plan(operation: ConvOperation): PlannedTile | undefined {
    const { solver: name, config } = this.#whole;
    if (!this.#backend.capabilities) return { plan: this.#whole, choice: undefined };
    const like = this.#planLike(operation, { name, config });
    if (like || "splitK" in config) return like;
    for (const splitK of SPLITS) {
      const split = this.#planLike(operation, { name, config: { ...config, splitK } });
      if (split) return split;
    }
    return undefined;
  }

  #planLike(operation: ConvOperation, choice: SolverChoice): PlannedTile | undefined {
    try {
      const { plan } = this.#backend.select(operation, choice);
      return orderOf(plan) === this.#order ? { plan, choice } : undefined;
    } catch (error) {
      if (error instanceof ConvError) return undefined;
      throw error;
    }
  }
}

/** The whole's plan. Where no device could run the whole, it is that of the largest part that can be planned. */
function planWhole(backend: CoreBackend, operation: ConvOperation, choice: SolverChoice | undefined): SolverPlan {
  for (let part = operation; ; part = { ...part, problem: halved(part.problem) }) {
    try {
      return backend.select(part, choice).plan;
    } catch (error) {
      if (!(error instanceof LimitError) || part.problem.output.every((extent) => extent <= 1)) throw error;
    }
  }
}

/** The same layer with half the output along its longest axis. */
function halved(problem: ConvProblem): ConvProblem {
  const { rank, output, input, stride, padBegin, padEnd, kernel, dilation } = problem;
  const longest = output.indexOf(Math.max(...output));
  const count = Math.max(1, Math.floor(output[longest] / 2));
  const taps = dilatedExtent(kernel[longest], dilation[longest]);
  const needed = (count - 1) * stride[longest] + taps - padBegin[longest] - padEnd[longest];
  const extents = input.map((extent, axis) => (axis === longest ? Math.max(1, Math.min(extent - 1, needed)) : extent));
  const padding = input.map((_, axis) => [padBegin[axis], padEnd[axis]] as const);
  return partProblem(problem, extents.slice(3 - rank), padding.slice(3 - rank));
}
