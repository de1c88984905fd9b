/** Solvers that are given problems in another form than callers say them. */
import { bounded } from "../problem/bounded.js";
import type { ConvOperation } from "../problem/operation.js";
import { asRow } from "../problem/pointwise.js";
import type { ConvProblem } from "../problem/problem.js";
import type { ListedSolver } from "../planning/solver.js";

function given(solver: ListedSolver, form: (problem: ConvProblem) => ConvProblem): ListedSolver {
  const forms = new WeakMap<ConvOperation, ConvOperation>();
  const formed = (operation: ConvOperation): ConvOperation => {
    const known = forms.get(operation);
    if (known !== undefined) return known;
    const given = { ...operation, problem: form(operation.problem) };
    forms.set(operation, given);
    return given;
  };
  return {
    ...solver,
    configs: (operation, capabilities) => solver.configs(formed(operation), capabilities),
    plan: (operation, capabilities, config) => solver.plan(formed(operation), capabilities, config),
    predictClocks: (operation, capabilities, config) => solver.predictClocks?.(formed(operation), capabilities, config),
    ...(solver.discouraged && {
      discouraged: (operation, capabilities) => solver.discouraged?.(formed(operation), capabilities),
    }),
  };
}

/** The solver, which gets the planes of pointwise layers as rows. Not for solvers whose threads take parts of rows. */
export const inRows = (solver: ListedSolver): ListedSolver => given(solver, asRow);

/** The solver, which gets strides, dilations and padding bounded by sizes. Each solver of a list does. */
export const inBounds = (solver: ListedSolver): ListedSolver => given(solver, bounded);
