/** Every solver, in the order in which selection considers them; the last one of each
 * direction refuses nothing. */
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

export const SOLVERS: readonly Solver[] = [
  rollingWindow,
  strip,
  winograd,
  implicitGemm,
  vectorTile,
  registerTile,
  direct,
  winogradWeightGradient,
  rollingWindowWeightGradient,
  stripWeightGradient,
  implicitGemmWeightGradient,
  registerTileWeightGradient,
  directWeightGradient,
  channelSum,
  elementwise,
];
