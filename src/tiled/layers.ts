/** A stack of layers as callers give it, checked: the operation that each would be for the whole. */
import { entriesOf } from "../base/entries.js";
import { ArgumentError, require, show } from "../base/errors.js";
import { optionKeys, requireOptions } from "../base/optionKeys.js";
import { makeCall, plainOperation, type Call, valuesOf } from "../calls/calls.js";
import { FORWARD_NAMES, readEpilogue } from "../calls/epilogue.js";
import { CONV_KEYS, type ForwardOptions } from "../calls/options.js";
import type { DType } from "../problem/dtype.js";
import type { Layout } from "../problem/layout.js";
import type { ConvOperation } from "../problem/operation.js";
import { SIZE_KEYS, type TransposedSize } from "../problem/options.js";
import { type ConvProblem, makeProblem, type Rank } from "../problem/problem.js";
import { makeTransposedProblem } from "../problem/transposed.js";
import { requireTensor, type Tensor } from "../tensor/tensor.js";

/**
 * A layer of a stack: the options of `conv1d`, `conv2d` or `conv3d` with its weight, whose rank says which; of `convTranspose2d`
 * and its kin where it is `transposed`. Layouts of inputs and outputs are an option of the call.
 */
export interface TiledLayer extends Omit<ForwardOptions, "layout" | "residual">, TransposedSize {
  /** Not consumed; it must live until the call has ended. Its dtype is that of all tensors between the layers. */
  readonly weight: Tensor;
  /** Whether the layer is a transposed convolution; not when absent. */
  readonly transposed?: boolean;
}

const LAYER_KEYS = optionKeys<TiledLayer & Pick<ForwardOptions, "layout">>(
  { weight: 1, bias: 1, transposed: 1, ...CONV_KEYS, ...SIZE_KEYS },
  { tensor: "weight" },
);

/** A layer of the whole. */
export interface Layer {
  readonly problem: ConvProblem;
  readonly transposed: boolean;
  /** Its call without the tensor that it reads. */
  readonly call: Call;
  /** Shapes of what it reads, and of its result. */
  readonly inputShape: readonly number[];
  readonly outputShape: readonly number[];
}

/** A stack of layers. */
export interface Stack {
  readonly rank: Rank;
  readonly dtype: DType;
  readonly layout: Layout;
  readonly layers: readonly Layer[];
}

/** What `read` gives. An ArgumentError gets the layer's place before its message. */
function within<Result>(index: number, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    throw new ArgumentError(`layers[${String(index)}]: ${error.message}`, { cause: error });
  }
}

/**
 * Reads a stack.
 *
 * @param shape of the source
 * @throws ArgumentError with the place of the layer.
 */
export function readStack(given: unknown, shape: readonly number[], layout: Layout): Stack {
  require(Array.isArray(given) && given.length > 0, () => {
    return `layers is ${show(given)}; expected a list of at least one layer, such as [{ weight, padding: 1 }]`;
  });
  const layers: Layer[] = [];
  let rank: Rank | undefined;
  let inputShape = shape;
  for (const [index, options] of (given as unknown[]).entries()) {
    const layer = within(index, () => {
      requireOptions(options, LAYER_KEYS, "the layer");
      const read = options as TiledLayer;
      requireTensor("weight", read.weight);
      rank ??= rankOf(read.weight);
      return readLayer(read, rank, inputShape, layout);
    });
    const [first = layer] = layers;
    const { dtype } = layer.call.operation;
    require(dtype === first.call.operation.dtype, () => {
      return `layers[${String(index)}]: weight is ${dtype}; expected ${first.call.operation.dtype}, as of layers[0]`;
    });
    layers.push(layer);
    inputShape = layer.outputShape;
  }
  return { rank: rank ?? 2, dtype: layers[0].call.operation.dtype, layout, layers };
}

function rankOf({ shape }: Tensor): Rank {
  const rank = shape.length - 2;
  require(rank === 1 || rank === 2 || rank === 3, () => {
    return `weight has shape ${show([...shape])}; expected 3 to 5 dimensions, [out, in / groups, ...kernel]`;
  });
  return rank;
}

function readLayer(options: TiledLayer, rank: Rank, inputShape: readonly number[], layout: Layout): Layer {
  const { weight, transposed = false } = options;
  require(typeof transposed === "boolean", () => `transposed is ${show(transposed)}; expected a boolean`);
  const { layout: own } = options as Pick<ForwardOptions, "layout">;
  require(own === undefined || own === layout, () => {
    return `layout is ${show(own)}; expected it in the call's options, one for all layers`;
  });
  const extra = (["outputPadding", "outputSize"] as const).find((name) => options[name] !== undefined);
  require(transposed || extra === undefined, () => {
    return `${String(extra)} is given; expected it with transposed: true alone`;
  });
  const given = { ...options, layout };
  const problem = transposed
    ? makeTransposedProblem(rank, inputShape, weight.shape, given)
    : makeProblem(rank, inputShape, weight.shape, given);
  const outputShape = transposed ? problem.inputShape : problem.outputShape;
  const channels = transposed ? problem.inChannels : problem.outChannels;
  const { bias, activation } = options;
  const { operands, fused } = readEpilogue(outputShape, channels, {
    ...(bias !== undefined && { bias }),
    ...(activation !== undefined && { activation }),
  });
  const direction = transposed ? "inputGradient" : "forward";
  const operation: ConvOperation = { ...plainOperation(direction, problem, valuesOf(weight, "weight")), ...fused };
  const call = makeCall(operation, { w: weight, ...operands }, { ...FORWARD_NAMES, w: "weight" }, options);
  return { problem, transposed, call, inputShape, outputShape };
}

/** All tensors of a stack, with what a message calls them. */
export function tensorsOf({ layers }: Stack): readonly (readonly [name: string, tensor: Tensor])[] {
  return layers.flatMap(({ call: { operands, names } }, index) =>
    entriesOf(operands).map(([role, tensor]) => [`layers[${String(index)}].${names[role] ?? role}`, tensor] as const),
  );
}
