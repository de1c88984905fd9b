/** What an engine would do for an operation, and who or what chose that. */
import { operandRefusal, resultRefusal } from "../backend/limits.js";
import { ConvError, DeviceError, LimitError, SolverError } from "../base/errors.js";
import { describeOperation, type ExplainOptions } from "../calls/describeOperation.js";
import { explain, type ExplainShapes, type Explanation, NO_SELECTION } from "../calls/explain.js";
import type { OperationName } from "../problem/operationNames.js";
import { withBatch } from "../problem/problem.js";
import type { EngineCore } from "./engineCore.js";

export function explainOperation(
  { backend, tuning }: EngineCore,
  name: OperationName,
  shapes: ExplainShapes,
  options: ExplainOptions,
): Explanation {
  const operation = describeOperation(name, shapes, options);
  const { problem } = operation;
  // What is planned for an empty batch is what one sample would get.
  const planned = problem.batch > 0 ? operation : { ...operation, problem: withBatch(problem, 1) };
  const limit = operandRefusal(operation, backend) ?? resultRefusal(operation, backend);
  const tuned = options.solver === undefined ? tuning.choiceFor(planned) : undefined;
  const chosenBy = options.solver !== undefined ? "caller" : tuned ? "tuning" : "model";
  try {
    return explain(operation, backend.select(planned, options.solver ?? tuned), chosenBy, limit, backend.capabilities);
  } catch (error) {
    // Sizes beyond the device's limits may have no plan, and no kernel may work.
    if (error instanceof SolverError || !(error instanceof ConvError)) throw error;
    if (limit === undefined && !(error instanceof LimitError || error instanceof DeviceError)) throw error;
    return explain(operation, NO_SELECTION, chosenBy, limit ?? error.message, backend.capabilities);
  }
}
