/** Operations of a caller's own, with a gradient of their own. */
import { require, show } from "../../base/errors.js";
import { isList } from "../../base/list.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { requireSameShape } from "../../problem/shapes.js";
import { requireTensor, type Tensor } from "../../tensor/tensor.js";
import { tapeOf } from "./step.js";

/** What a gradient is computed from. */
export interface Backward {
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  /** That of the output. Not to be disposed of. */
  readonly gradient: Tensor;
  /** Which inputs need a gradient. */
  readonly needed: readonly boolean[];
}

export interface Differentiable {
  /** For messages and explanations. */
  readonly name: string;
  readonly inputs: readonly Tensor[];
  /** Computes the result with the engine's operations; they are not recorded one by one. */
  readonly forward: (...inputs: readonly Tensor[]) => Tensor;
  /** Computes the gradients of the inputs, of their shapes, in their order: new tensors, undefined where none flows. */
  readonly backward: (of: Backward) => readonly (Tensor | undefined)[];
}
const PARTS = optionKeys<Differentiable>({ name: 1, inputs: 1, forward: 1, backward: 1 });

/**
 * Runs an operation of one's own, and has a tape take its gradient from `backward`:
 *
 * ```ts
 * // A convolution whose gradient to x is scaled: reversed, as in domain adaptation.
 * const y = differentiable({
 *   name: "reverse",
 *   inputs: [x],
 *   forward: (x) => mul(x, 1),
 *   backward: ({ gradient }) => [mul(gradient, -1)],
 * });
 * ```
 *
 * @returns what `forward` returned
 */
export function differentiable(operation: Differentiable): Tensor {
  requireOptions(operation, PARTS, "operation");
  const { name, inputs, forward, backward } = operation;
  for (const [part, value] of Object.entries({ forward, backward })) {
    require(typeof value === "function", () => `${part} is ${show(value)}; expected a function`);
  }
  require(typeof name === "string", () => `name is ${show(name)}; expected text, for messages`);
  require(isList(inputs) && inputs.length > 0, () => `inputs is ${show(inputs)}; expected at least one tensor`);
  for (const [i, input] of inputs.entries()) requireTensor(`inputs[${String(i)}]`, input);
  const tape = tapeOf(inputs[0]);
  const compute = (): Tensor => forward(...inputs);
  const output = tape ? tape.unrecorded(compute) : compute();
  requireTensor(`the result of ${name}`, output);
  tape?.record({
    name,
    inputs,
    outputs: [output],
    saved: [...inputs, output],
    backward([gradient], needed) {
      if (!gradient) return [];
      const gradients = backward({ inputs, output, gradient, needed });
      require(isList(gradients) && gradients.length <= inputs.length, () => {
        return `backward of ${name} returned ${show(gradients)}; expected a list of gradients, one for each of ${String(inputs.length)} inputs or fewer`;
      });
      for (const [i, input] of inputs.entries()) {
        const own = gradients.at(i);
        if (!own) continue;
        const what = `gradient ${String(i)} of ${name}`;
        requireTensor(what, own);
        requireSameShape(what, own.shape, input.shape, "its input's");
        require(own.dtype === input.dtype, () => `${what} is ${own.dtype}; expected ${input.dtype}, as its input`);
      }
      return gradients;
    },
  });
  return output;
}
