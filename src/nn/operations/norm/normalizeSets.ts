/** Normalisation in one read and one write, where a workgroup holds whole sets. */
import kernel from "../../../../shaders/nn/normalize_sets.wgsl";
import type { Capabilities } from "../../../planning/capabilities.js";
import { dispatch, foldWorkgroups, type Refusal, type Steps } from "../../../planning/solver.js";
import { named } from "../../../planning/tensorOperation.js";
import { elementOf } from "../../core/elements.js";
import type { Norm } from "./norm.js";
import { fusedConstants, membersOf, valuesType } from "./normShape.js";
import { tileSets } from "./setTile.js";

/** Of a norm by the statistics of its values. */
export function normalizeSets(norm: Norm, capabilities: Capabilities): Steps | Refusal {
  const { shape, x, parts, activation, eps, statistics, momentum } = norm;
  const isFormula = activation.name !== "none" && activation.name !== "relu";
  const keeping = {
    ofThread: 32,
    ofWidth: isFormula ? 5 : 0,
    ofUnit: parts.residual ? 4.2 : 2.7,
    ofElement: 1,
    ofChannel: 0,
  };
  const tile = tileSets(shape, keeping, capabilities);
  if ("refused" in tile) return tile;
  const updates = statistics === "updated";
  const { width, extents, row, sampleTiles, groupTiles } = tile;
  const tasks = sampleTiles * groupTiles;
  const step = dispatch(kernel, {
    constants: {
      ...tile.constants,
      ...fusedConstants(parts, activation),
      HAS_RUNNING: updates,
      WIDTH: width,
      VECTORS: width === 4,
      SCALAR_SUMS: true,
    },
    types: {
      Values: valuesType(elementOf(x.dtype, capabilities), width),
      Numbers: valuesType("f32", width),
      Sums: "f32",
    },
    uniforms: {
      extents,
      row,
      momentum: updates ? [1 - momentum, momentum] : [1, 0],
      tasks,
      members: membersOf(shape),
      eps,
    },
    bindings: {
      x: named("x"),
      statistics: named("statistics"),
      runningMean: updates ? named("runningMean") : "unused",
      runningVariance: updates ? named("runningVar") : "unused",
      weight: parts.weight ? named("weight") : "unused",
      bias: parts.bias ? named("bias") : "unused",
      residual: parts.residual ? named("residual") : "unused",
      result: named("y"),
    },
    workgroups: foldWorkgroups(tasks, capabilities),
  });
  return { dispatches: [step], scratchBytes: {} };
}
