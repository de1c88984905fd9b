/**
 * The solvers of forward passes and input gradients, which gather, in the order in which selection considers them; the last
 * one refuses nothing.
 */
import { listed, type ListedSolver } from "../planning/solver.js";
import { direct } from "./direct/direct.js";
import { implicitGemm } from "./implicitGemm/implicitGemm.js";
import { tapGemm } from "./implicitGemm/tapGemm.js";
import { registerTile } from "./registerTile/registerTile.js";
import { rollingWindow } from "./rollingWindow/rollingWindow.js";
import { scalarTile } from "./scalarTile/scalarTile.js";
import { strip } from "./strip/strip.js";
import { vectorTile } from "./vectorTile/vectorTile.js";
import { winograd } from "./winograd/winograd.js";
import { inBounds, inRows } from "./forms.js";

export const GATHER_SOLVERS: readonly ListedSolver[] = [
  listed(rollingWindow),
  listed(strip),
  listed(winograd),
  inRows(listed(scalarTile)),
  inRows(listed(tapGemm)),
  inRows(listed(implicitGemm)),
  inRows(listed(vectorTile)),
  inRows(listed(registerTile)),
  listed(direct),
].map(inBounds);
