/** Operations described by name, shapes and options, without tensors, for planning. */
import { NO_ACTIVATION, readActivation } from "../problem/activation.js";
import { plainOperation, readSlopes } from "./calls.js";
import { type DType, readDType } from "../problem/dtype.js";
import { require, show } from "../base/errors.js";
import { type OptionKeys, optionKeys, requireOptions } from "../base/optionKeys.js";
import type { ExplainShapes } from "./explain.js";
import type { ConvOperation } from "../problem/operation.js";
import { type NamedOperation, type OperationName, readOperationName } from "../problem/operationNames.js";
import { CONV_KEYS, type ConvOptions } from "./options.js";
import { readSolver } from "../planning/choice.js";
import { SIZE_KEYS, type TransposedSize } from "../problem/options.js";
import type { Pixels } from "../problem/pixels.js";
import { makeProblem } from "../problem/problem.js";
import { requireSameShape } from "../problem/shapes.js";
import { requireTensor, type Tensor } from "../tensor/tensor.js";
import { makeTransposedProblem } from "../problem/transposed.js";

/** Options of `engine.explain`: the operation's, and what is fused into it. */
export interface ExplainOptions extends ConvOptions, TransposedSize {
  /** Whether the layer has a bias, or the bias itself. */
  readonly bias?: boolean | Tensor;
  /** Whether it has a residual, or the residual itself. */
  readonly residual?: boolean | Tensor;
  /** The tensors' element type; "float32" when absent. */
  readonly dtype?: DType;
  /** The input, where it is an image. */
  readonly image?: Tensor;
  /** What a gradient takes the activation's derivative from: a tensor, or `true` for one. */
  readonly output?: boolean | Tensor;
  readonly preActivation?: boolean | Tensor;
}

const LAYER_KEYS = { ...CONV_KEYS, bias: 1, residual: 1, dtype: 1 } as const;
const SOURCE_KEYS = { output: 1, preActivation: 1 } as const;
const BARE = { number: "stride", tensor: "bias" };
const FORWARD = optionKeys({ ...LAYER_KEYS, image: 1 }, BARE);
const INPUT_GRADIENT = optionKeys({ ...LAYER_KEYS, ...SOURCE_KEYS }, BARE);
const WEIGHT_GRADIENT = optionKeys({ ...LAYER_KEYS, ...SOURCE_KEYS, image: 1 }, BARE);
const TRANSPOSED = optionKeys({ ...LAYER_KEYS, ...SIZE_KEYS }, BARE);
const TRANSPOSED_GRADIENT = optionKeys({ ...LAYER_KEYS, ...SIZE_KEYS, ...SOURCE_KEYS }, BARE);
const SHAPE_KEYS = optionKeys<ExplainShapes>({ input: 1, weight: 1 });

function keysFor({ transposed, direction }: NamedOperation): OptionKeys {
  if (transposed) return direction === "inputGradient" ? TRANSPOSED : TRANSPOSED_GRADIENT;
  if (direction === "forward") return FORWARD;
  return direction === "weightGradient" ? WEIGHT_GRADIENT : INPUT_GRADIENT;
}

/** The operation that the method of this name would run. */
export function describeOperation(name: OperationName, shapes: ExplainShapes, options: ExplainOptions): ConvOperation {
  const named = readOperationName(name);
  require(named !== undefined, () => {
    return `operation is ${show(name)}; expected conv1d, conv2d, conv3d, convTranspose2d... or one of their gradients`;
  });
  requireOptions(shapes, SHAPE_KEYS, "shapes");
  requireOptions(options, keysFor(named));
  readSolver(options.solver);
  const { rank, transposed, direction } = named;
  const make = transposed ? makeTransposedProblem : makeProblem;
  const problem = make(rank, shapes.input, shapes.weight, options);
  const isForward = direction === (transposed ? "inputGradient" : "forward");
  const [result, channels] = transposed
    ? [problem.inputShape, problem.inChannels]
    : [problem.outputShape, problem.outChannels];
  const bias = has("bias", options, [channels]);
  const residual = has("residual", options, result);
  has("output", options, result);
  has("preActivation", options, result);
  const activation = readActivation(options.activation);
  readSlopes(options.activation, transposed ? problem.inChannels : problem.outChannels);
  return {
    ...plainOperation(direction, problem, { dtype: readDType(options.dtype) }),
    bias: bias && (isForward || (direction === "weightGradient" && !transposed)),
    residual: residual && isForward,
    activation: isForward ? activation : NO_ACTIVATION,
    pixels: readPixelsOf(options.image, problem.inputShape),
    masked: !isForward && !transposed && activation.name === "relu",
  };
}

/** Whether there is such a tensor. Where the tensor itself is given, it must have this shape. */
function has(
  name: "bias" | "residual" | "output" | "preActivation",
  { [name]: extra = false }: ExplainOptions,
  shape: readonly number[],
): boolean {
  if (typeof extra === "boolean") return extra;
  requireTensor(name, extra);
  requireSameShape(name, extra.shape, shape, "as a tensor in its place");
  return true;
}

function readPixelsOf(image: Tensor | undefined, shape: readonly number[]): Pixels | undefined {
  if (image === undefined) return undefined;
  requireTensor("image", image);
  require(image.pixels !== undefined, () => "image is a tensor of values; expected one made by engine.image");
  requireSameShape("image", image.shape, shape, "the input's shape");
  return image.pixels;
}
