/** Up to four operands of a term, as operations and kernels have them (shaders/common/operands.wgsl). */
import type { Capabilities } from "../../planning/capabilities.js";
import { type BindingSource } from "../../planning/solver.js";
import { named, type Numbers, type Resize, type TensorSpec } from "../../planning/tensorOperation.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { TermOperand } from "./broadcast.js";
import { elementOf } from "./elements.js";
import { resizedSpec, specOf } from "./operation.js";
import { formulaOf, type Term } from "./terms.js";

/** Names of a term's operands, in order. */
const NAMES = ["a", "b", "c", "d"] as const;

/** A term of operands, times a scale. */
export interface ScaledTerm {
  readonly term: Term;
  readonly operands: readonly TermOperand[];
  /** 1 when absent. */
  readonly scale?: number;
  /** Huber's; 0 when absent. */
  readonly delta?: number;
}

/** Tensors or numbers as a term's operands, and the tensors among them by the operation's names. */
export function operandsOf(given: readonly (Tensor | number)[]): {
  readonly operands: readonly TermOperand[];
  readonly tensors: Readonly<Record<string, Tensor>>;
} {
  return {
    operands: given.map((one, i) => (typeof one === "number" ? one : specOf(one, NAMES[i]))),
    tensors: Object.fromEntries(given.flatMap((one, i) => (typeof one === "number" ? [] : [[NAMES[i], one]]))),
  };
}

/** Those that are tensors, by the operation's names. */
export function specsOf(operands: readonly TermOperand[]): Readonly<Record<string, TensorSpec>> {
  return Object.fromEntries(operands.flatMap((one, i) => (typeof one === "number" ? [] : [[NAMES[i], one]])));
}

/** Of operands with other extents, and of numbers that neither overflow nor vanish, for trials. */
export const resizedTerm = <Of extends ScaledTerm>(of: Of, to: Resize): Of => ({
  ...of,
  operands: of.operands.map((one) => (typeof one === "number" ? moderate(one) : resizedSpec(one, to))),
  scale: moderate(of.scale ?? 1),
  delta: moderate(of.delta ?? 0),
});

/** The number, or 3 of its sign where it is not from 1/8 to 8. */
export const moderate = (number: number): number =>
  Math.abs(Math.log2(Math.abs(number))) <= 3 ? number : Math.sign(number) * 3 || 3;

/** What the kernels of terms are given for their operands. */
export function operandParts(operands: readonly TermOperand[], capabilities: Capabilities) {
  const isNumber = (i: number): boolean => i < operands.length && typeof operands[i] === "number";
  const typeOf = (i: number): "f16" | "f32" => {
    const operand = operands.at(i);
    return i < operands.length && typeof operand === "object" ? elementOf(operand.dtype, capabilities) : "f32";
  };
  const bindingOf = (i: number): BindingSource => (i < operands.length && !isNumber(i) ? named(NAMES[i]) : "unused");
  return {
    constants: {
      OPERANDS: operands.length,
      NUMBERS: NAMES.reduce((bits, _, i) => bits + (isNumber(i) ? 2 ** i : 0), 0),
    },
    types: { First: typeOf(0), Second: typeOf(1), Third: typeOf(2), Fourth: typeOf(3) },
    numbers: NAMES.map((_, i) => {
      const operand = i < operands.length ? operands[i] : 0;
      return typeof operand === "number" ? operand : 0;
    }),
    bindings: {
      firstOperand: bindingOf(0),
      secondOperand: bindingOf(1),
      thirdOperand: bindingOf(2),
      fourthOperand: bindingOf(3),
    },
  };
}

/** The term on the host, by where each operand has its value. */
export function termOnHost(
  { term, operands, scale = 1, delta = 0 }: ScaledTerm,
  values: Readonly<Record<string, Numbers>>,
): (offsets: readonly number[]) => number {
  const formula = formulaOf(term);
  return (offsets) => {
    const [a, b = 0, c = 0, d = 0] = operands.map((one, i) =>
      typeof one === "number" ? one : values[NAMES[i]][offsets[i]],
    );
    return scale * formula(a, b, c, d, delta);
  };
}
