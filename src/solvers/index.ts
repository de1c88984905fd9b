/** Every solver, in the order in which selection considers them; the last one of each
 * direction refuses nothing. */
import { bounded } from "../bounded.js";
import type { ConvOperation } from "../operation.js";
import { asLine, type ConvProblem } from "../problem.js";
import type { Solver } from "../solver.js";
import { channelSum } from "./channelSum.js";
import { direct } from "./direct.js";
import { directWeightGradient } from "./directWeightGradient.js";
import { elementwise } from "./elementwise.js";
import { implicitGemm } from "./implicitGemm.js";
import { implicitGemmWeightGradient } from "./implicitGemmWeightGradient.js";
import { registerTile } from "./registerTile.js";
import { registerTileWeightGradient } from "./registerTileWeightGradient.js";
import { rollingWindow } from "./rollingWindow.js";
import { rollingWindowWeightGradient } from "./rollingWindowWeightGradient.js";
import { strip } from "./strip.js";
import { stripWeightGradient } from "./stripWeightGradient.js";
import { vectorTile } from "./vectorTile.js";
import { winograd } from "./winograd.js";
import { winogradWeightGradient } from "./winogradWeightGradient.js";

/** The solver, which gets problems in another form. */
function given(solver: Solver, form: (problem: ConvProblem) => ConvProblem): Solver {
  const formed = (operation: ConvOperation): ConvOperation => ({ ...operation, problem: form(operation.problem) });
  return {
    ...solver,
    configs: (operation, capabilities) => solver.configs(formed(operation), capabilities),
    plan: (operation, capabilities, config) => solver.plan(formed(operation), capabilities, config),
    ...(solver.discouraged && {
      discouraged: (operation, capabilities) => solver.discouraged?.(formed(operation), capabilities),
    }),
  };
}

/** The solver, which gets the planes of pointwise layers as lines. Not for those that deal lines out to threads. */
const inLines = (solver: Solver): Solver => given(solver, asLine);

export const SOLVERS: readonly Solver[] = [
  rollingWindow,
  strip,
  winograd,
  inLines(implicitGemm),
  inLines(vectorTile),
  inLines(registerTile),
  direct,
  winogradWeightGradient,
  rollingWindowWeightGradient,
  stripWeightGradient,
  inLines(implicitGemmWeightGradient),
  inLines(registerTileWeightGradient),
  directWeightGradient,
  channelSum,
  elementwise,
].map((solver) => given(solver, bounded));
