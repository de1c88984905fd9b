/** Options of calls: hyperparameters, tensors that are fused in, and the solver. */
import { optionKeys } from "../base/optionKeys.js";
import type { SolverChoice } from "../planning/choice.js";
import type { Activation as AnyActivation } from "../problem/activation.js";
import { type Hyperparameters, SIZE_KEYS, type TransposedSize } from "../problem/options.js";
import type { Layout } from "../problem/layout.js";
import type { Tensor } from "../tensor/tensor.js";

/** An activation; `Slope` is what holds a prelu's slopes. */
export type Activation<Slope = Tensor> = AnyActivation<Slope>;

/** Options that the forward pass and the gradients share. */
export interface ConvOptions extends Hyperparameters {
  /** Applied after bias and residual; "none" when absent. In a gradient it needs {@link GradientOptions.output}. */
  readonly activation?: Activation;
  /** The solver to use. When absent the engine chooses. */
  readonly solver?: SolverChoice;
}

export const CONV_KEYS = {
  stride: 1,
  padding: 1,
  dilation: 1,
  groups: 1,
  paddingMode: 1,
  layout: 1,
  weightLayout: 1,
  activation: 1,
  solver: 1,
} as const;

/** Options of the forward pass. */
export interface ForwardOptions extends ConvOptions {
  /** One value an output channel, shape `[outChannels]`. Not consumed. */
  readonly bias?: Tensor;
  /** Added before the activation, shaped as the result: a skip connection. Not consumed. */
  readonly residual?: Tensor;
}

/** Options of the gradients. `dy` is always the gradient after the activation, where there is one. */
export interface GradientOptions extends ConvOptions {
  /**
   * The forward pass' output, where there is an activation: relu, relu6, clamp, leaky-relu, elu, sigmoid, hard-sigmoid
   * and tanh take their derivative from it. relu's is applied while dy is read, the others' in a pass over dy. Not consumed.
   */
  readonly output?: Tensor;
  /**
   * The value that the activation was applied to: gelu, hard-swish, silu, softplus and prelu need it instead, and leaky-relu
   * and elu where they fall below 0. Not consumed.
   */
  readonly preActivation?: Tensor;
}

/** Options of a transposed convolution's forward pass. */
export interface TransposedForwardOptions extends ForwardOptions, TransposedSize {}

/** Options of its gradients: those of the forward pass, `outputPadding` or `outputSize` included. */
export interface TransposedGradientOptions extends GradientOptions, TransposedSize {}

/** Where the channels are, for a prelu with a slope for each. */
export interface ActivateOptions {
  /** "channels-first" when absent: the second dimension. */
  readonly layout?: Layout;
}

/** Options of the gradient of an activation by itself. */
export interface ActivationGradientOptions
  extends ActivateOptions, Pick<GradientOptions, "activation" | "output" | "preActivation"> {}

/** Options of `conv2dBackward` and its like. */
export interface BackwardOptions extends Omit<GradientOptions, "solver"> {
  /** One solver by a name that both kernels have, or one for each of them; the engine chooses where none is named. */
  readonly solver?: SolverChoice | BackwardSolvers;
}

/** A solver for each kernel of `conv2dBackward`: that of the input gradient, and that of the weight (and bias) gradient. */
export interface BackwardSolvers {
  readonly input?: SolverChoice | undefined;
  readonly weight?: SolverChoice | undefined;
}

const FORWARD_KEYS = { ...CONV_KEYS, bias: 1, residual: 1 } as const;
const GRADIENT_KEYS = { ...CONV_KEYS, output: 1, preActivation: 1 } as const;
const FORWARD_BARE = { number: "stride", tensor: "bias" };
const GRADIENT_BARE = { number: "stride", tensor: "output" };

export const FORWARD_OPTIONS = optionKeys<ForwardOptions>(FORWARD_KEYS, FORWARD_BARE);
export const GRADIENT_OPTIONS = optionKeys<GradientOptions>(GRADIENT_KEYS, GRADIENT_BARE);
export const TRANSPOSED_OPTIONS = optionKeys<TransposedForwardOptions>({ ...FORWARD_KEYS, ...SIZE_KEYS }, FORWARD_BARE);
export const TRANSPOSED_GRADIENT_OPTIONS = optionKeys<TransposedGradientOptions>(
  { ...GRADIENT_KEYS, ...SIZE_KEYS },
  GRADIENT_BARE,
);
export const ACTIVATE_OPTIONS = optionKeys<ActivateOptions>({ layout: 1 }, { string: "layout" });
export const ACTIVATION_GRADIENT_OPTIONS = optionKeys<ActivationGradientOptions>(
  { activation: 1, output: 1, preActivation: 1, layout: 1 },
  { string: "activation", tensor: "output" },
);
