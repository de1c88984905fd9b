/** What tests of selection share: devices, an operation that many solvers take, and why one was passed over. */
import { makeProblem } from "webgpu-conv/reference";
import { plainOperation } from "../../src/calls/calls.js";
import { type Capabilities, DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import type { ConvOperation, Direction } from "../../src/problem/operation.js";
import type { Selection } from "../../src/solvers/choose.js";

export const SOFTWARE: Capabilities = { ...DEFAULT_CAPABILITIES, deviceClass: "software" };

/** A 7x7 layer of 64 channels. */
export function operationOf(direction: Direction, groups = 1): ConvOperation {
  const problem = makeProblem(2, [2, 64, 28, 28], [64, 64 / groups, 7, 7], { padding: 3, groups });
  return plainOperation(direction, problem, { dtype: "float32" });
}

/** Why a selection passed the solver over. */
export const reasonAgainst = (name: string, { passedOver }: Selection): string | undefined =>
  passedOver.find(({ solver }) => solver === name)?.reason;
