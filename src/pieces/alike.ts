/** Plans of pieces that add in the order of the whole's plan, so that results have its bits. */
import { ConvError } from "../base/errors.js";
import type { Capabilities } from "../planning/capabilities.js";
import type { SolverChoice } from "../planning/choice.js";
import { orderOf } from "../planning/order.js";
import type { PlannedPiece } from "../planning/pieces.js";
import type { SolverConfig, SolverPlan } from "../planning/solver.js";
import { unbound } from "../planning/unbound.js";
import { type ConvOperation, elementsOf, keyOf, resultRoles } from "../problem/operation.js";
import type { Select, Selection } from "../solvers/choose.js";
import { withOperandsWidened } from "../solvers/passes/conversions.js";
import { partialBytes } from "../solvers/shared/splits.js";

/** Splits of a sum that a whole may have. */
const SPLITS = Array.from({ length: 512 }, (_, i) => i + 1);

/** A plan with its key. */
export type KeyedPlan = Pick<PlannedPiece<SolverPlan>, "plan" | "key" | "widened">;

/** Winograd's weight gradients add what chunks of tiles make: those of a piece have as many tiles as the whole's. */
function chunksOf(
  { direction, problem }: ConvOperation,
  { solver, dispatches, scratchBytes }: SolverPlan,
): SolverConfig {
  if (direction !== "weightGradient" || solver !== "winograd") return {};
  const patch = Number(dispatches[0].constants.EXTENT) ** 2;
  const chunkTiles = (scratchBytes["winograd sources"] ?? 0) / partialBytes(1, patch * problem.inChannels);
  return Number.isInteger(chunkTiles) ? { chunkTiles } : {};
}

/** Plans the pieces of one operation. */
export class AlikePlans {
  readonly whole: SolverPlan;
  readonly passedOver: Selection["passedOver"];
  readonly #select: Select;
  readonly #capabilities: Capabilities;
  readonly #choice: SolverChoice;
  readonly #order: string;
  /** In how many parts the whole's sums are split, as far as its scratch memory tells. */
  readonly #splits: number;
  readonly #known = new Map<string, KeyedPlan | undefined>();

  /** @throws LimitError where no solver can plan the whole, even if it could be bound. */
  constructor(operation: ConvOperation, capabilities: Capabilities, choice: SolverChoice | undefined, select: Select) {
    this.#select = select;
    this.#capabilities = unbound(capabilities);
    ({ plan: this.whole, passedOver: this.passedOver } = select(operation, this.#capabilities, choice));
    const { solver: name, config, scratchBytes } = this.whole;
    this.#choice = { name, config: { ...config, ...chunksOf(operation, this.whole) } };
    this.#order = orderOf(this.whole);
    const elements = elementsOf(operation, resultRoles(operation));
    this.#splits = Math.max(1, Math.round((scratchBytes.partials ?? 0) / partialBytes(1, elements)));
  }

  /** The plan of a piece with results of its own; undefined where none adds in the whole's order. */
  planFor(operation: ConvOperation): KeyedPlan | undefined {
    const key = keyOf(operation);
    if (!this.#known.has(key)) this.#known.set(key, this.#findAlike(operation, key));
    return this.#known.get(key);
  }

  #findAlike(operation: ConvOperation, key: string): KeyedPlan | undefined {
    for (const splitK of [undefined, this.#splits, ...SPLITS]) {
      const plan = this.#plan(operation, splitK);
      if (plan && orderOf(plan) === this.#order) return { plan, key: this.#keyOf(key, splitK) };
    }
    return undefined;
  }

  /** The plan of a piece that computes a part of sums, in float32. */
  planForSums(operation: ConvOperation): KeyedPlan | undefined {
    const key = keyOf(operation);
    if (!this.#known.has(key)) this.#known.set(key, this.#findForSums(operation, key));
    return this.#known.get(key);
  }

  #findForSums(operation: ConvOperation, key: string): KeyedPlan | undefined {
    const widened: ConvOperation = { ...operation, dtype: "float32" };
    const plan = this.#plan(widened, undefined);
    if (!plan) return undefined;
    const own = this.#keyOf(`${key} of sums`, undefined);
    if (operation.dtype === "float32") return { plan, key: own };
    const read = withOperandsWidened(plan, operation, this.#capabilities);
    return { plan: read, key: own, widened: { operation: widened, plan } };
  }

  #plan(operation: ConvOperation, splitK: number | undefined): SolverPlan | undefined {
    try {
      const capabilities = splitK === undefined ? this.#capabilities : { ...this.#capabilities, splitK };
      return this.#select(operation, capabilities, this.#choice).plan;
    } catch (error) {
      if (error instanceof ConvError) return undefined;
      throw error;
    }
  }

  #keyOf(key: string, splitK: number | undefined): string {
    return `piece ${JSON.stringify([this.#choice, splitK, this.#order])} ${key}`;
  }
}
