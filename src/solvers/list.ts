/** Every solver, in the order in which selection considers them. The last one of each direction refuses nothing. */
import { bounded } from "../problem/bounded.js";
import type { ConvOperation } from "../problem/operation.js";
import { asLine } from "../problem/pointwise.js";
import type { ConvProblem } from "../problem/problem.js";
import { listed, type ListedSolver } from "../planning/solver.js";
import { channelSum } from "./channelSum/channelSum.js";
import { direct } from "./direct/direct.js";
import { directWeightGradient } from "./direct/directWeightGradient.js";
import { elementwise } from "./activation/activation.js";
import { implicitGemm } from "./implicitGemm/implicitGemm.js";
import { implicitGemmWeightGradient } from "./implicitGemm/implicitGemmWeightGradient.js";
import { registerTile } from "./registerTile/registerTile.js";
import { registerTileWeightGradient } from "./registerTile/registerTileWeightGradient.js";
import { rollingWindow } from "./rollingWindow/rollingWindow.js";
import { rollingWindowWeightGradient } from "./rollingWindow/rollingWindowWeightGradient.js";
import { strip } from "./strip/strip.js";
import { stripWeightGradient } from "./strip/stripWeightGradient.js";
import { vectorTile } from "./vectorTile/vectorTile.js";
import { winograd } from "./winograd/winograd.js";
import { winogradWeightGradient } from "./winograd/winogradWeightGradient.js";

/** The solver, which gets problems in another form. */
function given(solver: ListedSolver, form: (problem: ConvProblem) => ConvProblem): ListedSolver {
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

/** The solver, which gets the planes of pointwise layers as lines. Not for solvers whose threads take parts of rows. */
const inLines = (solver: ListedSolver): ListedSolver => given(solver, asLine);

export const SOLVERS: readonly ListedSolver[] = [
  listed(rollingWindow),
  listed(strip),
  listed(winograd),
  inLines(listed(implicitGemm)),
  inLines(listed(vectorTile)),
  inLines(listed(registerTile)),
  listed(direct),
  listed(winogradWeightGradient),
  listed(rollingWindowWeightGradient),
  listed(stripWeightGradient),
  inLines(listed(implicitGemmWeightGradient)),
  inLines(listed(registerTileWeightGradient)),
  listed(directWeightGradient),
  listed(channelSum),
  listed(elementwise),
].map((solver) => given(solver, bounded));
