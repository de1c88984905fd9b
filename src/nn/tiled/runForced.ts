/** Runs a network's code with solvers that were chosen before. */
import type { EngineCore } from "../../api/engineCore.js";
import { require } from "../../base/errors.js";
import type { SolverChoice } from "../../planning/choice.js";
import { Scope } from "../../tensor/lifetimes.js";
import { inPlaceOf } from "../trace/traceBackend.js";

/** The solver of a convolution. */
export interface ForcedChoice {
  /** Key of the convolution's problem. */
  readonly problem: string;
  /** Undefined where there is nothing to choose: on the CPU, of an activation by itself. */
  readonly choice: SolverChoice | undefined;
}

/**
 * Calls `compute`; its convolutions get these solvers, in their order. What it makes besides its result is disposed of.
 *
 * @throws ArgumentError where its convolutions are others than those that the solvers are for.
 */
export function runForced<Result>(core: EngineCore, choices: readonly ForcedChoice[], compute: () => Result): Result {
  require(!core.tape && !core.operands, () =>
    "a tape or a sequence is being recorded; expected tiles before it, or after");
  const { backend, lifetimes } = core;
  let next = 0;
  const requireAlike = (isAlike: boolean): void => {
    require(isAlike, () => {
      return `convolution ${String(next)} of the network is another one than when the network was looked at; expected code that does the same for each tile`;
    });
  };
  core.backend = inPlaceOf(backend, {
    run(operation, operands, _, key) {
      const forced = choices.at(next);
      requireAlike(forced?.problem === operation.problem.key);
      next++;
      return backend.run(operation, operands, forced?.choice, key);
    },
  });
  core.isTracing = true;
  try {
    return lifetimes.runIn(new Scope(undefined), () => {
      const result = compute();
      requireAlike(next === choices.length);
      return result;
    });
  } finally {
    core.backend = backend;
    core.isTracing = false;
  }
}
