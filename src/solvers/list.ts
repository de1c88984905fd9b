/** Every solver, in the order in which selection considers them. The last one of each direction refuses nothing. */
import { GATHER_SOLVERS } from "./gatherList.js";
import { listed, type ListedSolver } from "../planning/solver.js";
import { channelSum } from "./channelSum/channelSum.js";
import { directWeightGradient } from "./direct/directWeightGradient.js";
import { elementwise } from "./activation/activation.js";
import { implicitGemmWeightGradient } from "./implicitGemm/implicitGemmWeightGradient.js";
import { registerTileWeightGradient } from "./registerTile/registerTileWeightGradient.js";
import { rollingWindowWeightGradient } from "./rollingWindow/rollingWindowWeightGradient.js";
import { scalarTileWeightGradient } from "./scalarTile/scalarTileWeightGradient.js";
import { stripWeightGradient } from "./strip/stripWeightGradient.js";
import { winogradWeightGradient } from "./winograd/winogradWeightGradient.js";
import { subgroupMatrix } from "./subgroupMatrix/subgroupMatrix.js";
import { withWeightRepairs } from "./passes/repairWeights.js";
import { inBounds, inRows } from "./forms.js";

export const SOLVERS: readonly ListedSolver[] = [
  inBounds(inRows(listed(subgroupMatrix))),
  ...GATHER_SOLVERS,
  ...[
    ...[
      listed(winogradWeightGradient),
      listed(rollingWindowWeightGradient),
      listed(stripWeightGradient),
      listed(scalarTileWeightGradient),
      inRows(listed(implicitGemmWeightGradient)),
      inRows(listed(registerTileWeightGradient)),
    ].map(withWeightRepairs),
    listed(directWeightGradient),
    listed(channelSum),
    listed(elementwise),
  ].map(inBounds),
];
