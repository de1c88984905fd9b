/** Chooses the solver of an operation among all that there are. */
import type { ConvOperation } from "../problem/operation.js";
import type { ListedSolver } from "../planning/solver.js";
import { choose, type Select } from "./choose.js";
import { SOLVERS } from "./list.js";

/** Solvers for a direction, in the order in which they are considered. */
export function solversFor(operation: ConvOperation): readonly ListedSolver[] {
  return SOLVERS.filter((solver) => solver.directions.includes(operation.direction));
}

/** As {@link choose} among all of them. */
export const select: Select = (operation, capabilities, choice, faulty) =>
  choose(solversFor(operation), operation, capabilities, choice, faulty);
