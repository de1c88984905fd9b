/** Runs a network's code with solvers that were chosen before. */
import type { EngineCore } from "../../api/engineCore.js";
import { require } from "../../base/errors.js";
import type { SolverChoice } from "../../planning/choice.js";
import { inPlaceOf } from "../trace/traceBackend.js";

/**
 * Calls `compute`; its convolutions get these solvers, in their order.
 *
 * @param choices undefined where there is nothing to choose, on the CPU
 */
export function runForced<Result>(
  core: EngineCore,
  choices: readonly (SolverChoice | undefined)[],
  compute: () => Result,
): Result {
  require(!core.tape && !core.operands, () =>
    "a tape or a sequence is being recorded; expected tiles before it, or after");
  const { backend } = core;
  let next = 0;
  core.backend = inPlaceOf(backend, {
    run: (operation, operands, _, key) => backend.run(operation, operands, choices[next++], key),
  });
  core.isTracing = true;
  try {
    return compute();
  } finally {
    core.backend = backend;
    core.isTracing = false;
  }
}
