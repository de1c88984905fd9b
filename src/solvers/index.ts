/** Every solver, in the order in which selection considers them; the last one of each
 * direction refuses nothing. */
import type { ConvOperation } from "../operation.js";
import { asLine } from "../problem.js";
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

/** The solver, which gets the planes of pointwise layers as lines. Not for those that deal lines out to threads. */
function inLines(solver: Solver): Solver {
  const lined = (operation: ConvOperation): ConvOperation => ({ ...operation, problem: asLine(operation.problem) });
  return {
    ...solver,
    configs: (operation, capabilities) => solver.configs(lined(operation), capabilities),
    plan: (operation, capabilities, config) => solver.plan(lined(operation), capabilities, config),
    discouraged: (operation, capabilities) => solver.discouraged?.(lined(operation), capabilities),
  };
}

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
];
