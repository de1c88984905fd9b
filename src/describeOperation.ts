/** An operation described by its name, shapes and options, without tensors: for planning. */
import { NO_ACTIVATION, readActivation } from "./activation.js";
import { plainOperation } from "./calls.js";
import { type DType, readDType } from "./dtype.js";
import { require, show } from "./errors.js";
import type { ExplainShapes } from "./explain.js";
import type { ConvOperation } from "./operation.js";
import { type OperationName, readOperationName } from "./operationNames.js";
import type { ConvOptions, TransposedSize } from "./options.js";
import { makeProblem } from "./problem.js";
import type { Tensor } from "./tensor.js";
import { makeTransposedProblem } from "./transposed.js";

/** What `engine.explain` may be told: the operation's options, and what would be fused into it. */
export interface ExplainOptions extends ConvOptions, TransposedSize {
  /** Whether there is a bias, or one itself. */
  readonly bias?: boolean | Tensor;
  /** Whether there is a residual, or one itself. */
  readonly residual?: boolean | Tensor;
  /** Of the tensors; "float32" when absent. */
  readonly dtype?: DType;
  /** The input, where it is an image. */
  readonly image?: Tensor;
}

/** The operation that the method of this name would run. */
export function describeOperation(name: OperationName, shapes: ExplainShapes, options: ExplainOptions): ConvOperation {
  const named = readOperationName(name);
  require(named !== undefined, () => {
    return `operation is ${show(name)}; expected conv1d, conv2d, conv3d, convTranspose2d... or one of their gradients`;
  });
  const { rank, transposed, direction } = named;
  const make = transposed ? makeTransposedProblem : makeProblem;
  const problem = make(rank, shapes.input, shapes.weight, options);
  const isForward = direction === (transposed ? "inputGradient" : "forward");
  const has = (extra: boolean | Tensor | undefined): boolean => extra !== undefined && extra !== false;
  return {
    ...plainOperation(direction, problem, { dtype: readDType(options.dtype) }),
    bias: has(options.bias) && (isForward || (direction === "weightGradient" && !transposed)),
    residual: has(options.residual) && isForward,
    activation: isForward ? readActivation(options.activation) : NO_ACTIVATION,
    pixels: direction === "forward" || direction === "weightGradient" ? options.image?.pixels : undefined,
    masked: !isForward && !transposed && readActivation(options.activation).name === "relu",
  };
}
