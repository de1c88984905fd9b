/** What tiles need of an engine. */
import type { Backend } from "../backend/backend.js";
import type { Run } from "../calls/calls.js";
import type { SolverChoice } from "../planning/choice.js";
import type { DType } from "../problem/dtype.js";
import type { ConvOperation } from "../problem/operation.js";
import type { Tensor, TensorOwner } from "../tensor/tensor.js";
import type { TensorData } from "../tensor/values.js";

/** An engine, as far as tiles need it. */
export interface TileHost {
  readonly backend: Backend;
  readonly owner: TensorOwner;
  readonly run: Run;
  upload(values: TensorData, shape: readonly number[], dtype: DType): Tensor;
  /** The solver that was measured to be the fastest for an operation; undefined where the model chooses. */
  readonly choiceFor: (operation: ConvOperation) => SolverChoice | undefined;
}
