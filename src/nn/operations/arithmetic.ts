/** Arithmetic of tensors and numbers, broadcast over what one of them lacks. */
import { require, show } from "../../base/errors.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { beforeActivation } from "../../calls/activations.js";
import type { Run } from "../../calls/calls.js";
import type { Activation } from "../../calls/options.js";
import { type ActivationSpec, derivativeSource, NO_ACTIVATION, readActivation } from "../../problem/activation.js";
import { type Layout, readLayout } from "../../problem/layout.js";
import type { Tensor } from "../../tensor/tensor.js";
import { broadcastShapes } from "../core/broadcast.js";
import { contextOf, requireDType, specOf } from "../core/operation.js";
import { recordStep, tapeOf } from "../tape/step.js";
import type { Term } from "../core/terms.js";
import { activate } from "./activate.js";
import { runElementwise } from "./elementwise.js";
import { reshape } from "./reshape.js";
import { gradientFor } from "./termGradients.js";

export interface BroadcastOptions {
  /** Which axis a tensor of one axis lies along: its values are one a channel. "channels-first" when absent. */
  readonly layout?: Layout;
}

export interface AddOptions extends BroadcastOptions {
  /** Applied to the sum: relu after a residual connection, say. "none" when absent. */
  readonly activation?: Activation;
}

const BROADCAST_OPTIONS = optionKeys<BroadcastOptions>({ layout: 1 }, { string: "layout" });
const ADD_OPTIONS = optionKeys<AddOptions>({ layout: 1, activation: 1 }, { string: "activation" });

/**
 * `activation(a + b)`. Tensors have the same shape; or extents of 1 where they differ, aligned at the last axis as in NumPy; or one of
 * them has one axis, with a value for each channel of the other. A number goes with any shape.
 *
 * @throws ArgumentError for shapes or types that do not go together.
 */
export function add(a: Tensor | number, b: Tensor | number, options: AddOptions = {}): Tensor {
  requireOptions(options, ADD_OPTIONS);
  const layout = readLayout(options.layout);
  const { activation = "none" } = options;
  const spec = readActivation(activation);
  const tensor = firstTensor(a, b);
  const isFused =
    spec.name !== "prelu" && (spec.name === "none" || derivativeSource(spec) === "output" || !tapeOf(tensor));
  if (isFused) return binary("sum", ADD, [a, b], layout, spec);
  const sum = binary("sum", ADD, [a, b], layout);
  try {
    return activate(sum, activation, { layout });
  } finally {
    sum.dispose();
  }
}

/** `a - b`, broadcast as {@link add}'s operands. */
export function sub(a: Tensor | number, b: Tensor | number, options: BroadcastOptions = {}): Tensor {
  return binary("difference", SUB, [a, b], layoutOf(options));
}

/** `a * b` element by element, broadcast as {@link add}'s operands. */
export function mul(a: Tensor | number, b: Tensor | number, options: BroadcastOptions = {}): Tensor {
  return binary("product", MUL, [a, b], layoutOf(options));
}

/** `a / b` element by element, broadcast as {@link add}'s operands. */
export function div(a: Tensor | number, b: Tensor | number, options: BroadcastOptions = {}): Tensor {
  return binary("quotient", DIV, [a, b], layoutOf(options));
}

/** The tensor times a number; or times a tensor of one value, which may differ at each run of a compiled sequence. */
export function scale(x: Tensor, factor: Tensor | number): Tensor {
  require(typeof factor === "number" || specOf(factor, "factor").shape.every((extent) => extent === 1), () => {
    return `factor has shape ${show([...(factor as Tensor).shape])}; expected a number, or a tensor of one value: mul broadcasts`;
  });
  if (typeof factor === "number" || factor.shape.length === 1) return mul(x, factor);
  // Of as many axes as it has, the result would have at least that many.
  using one = reshape(factor, [1]);
  return mul(x, one);
}

function layoutOf(options: BroadcastOptions): Layout {
  requireOptions(options, BROADCAST_OPTIONS);
  return readLayout(options.layout);
}

/** A gradient of an operand: a term of dy and the operands, times a scale. */
interface Rule {
  readonly term: Term;
  readonly scale?: number;
  /** Which of dy, a and b the term has, in its order; dy alone when absent. */
  readonly of?: readonly ("dy" | "a" | "b")[];
}

interface Operator {
  readonly name: string;
  readonly gradients: readonly [Rule, Rule];
}

const PASSES: Rule = { term: "identity" };
const ADD: Operator = { name: "add", gradients: [PASSES, PASSES] };
const SUB: Operator = { name: "sub", gradients: [PASSES, { term: "identity", scale: -1 }] };
const MUL: Operator = {
  name: "mul",
  gradients: [
    { term: "product", of: ["dy", "b"] },
    { term: "product", of: ["dy", "a"] },
  ],
};
const DIV: Operator = {
  name: "div",
  gradients: [
    { term: "quotient", of: ["dy", "b"] },
    { term: "divisorGradient", of: ["dy", "a", "b"] },
  ],
};

function firstTensor(a: Tensor | number, b: Tensor | number): Tensor {
  for (const [name, value] of [["a", a] as const, ["b", b] as const]) {
    if (typeof value === "number") {
      require(!Number.isNaN(value), () => `${name} is NaN; expected a number or a tensor`);
    } else specOf(value, name);
  }
  const tensor = typeof a === "number" ? b : a;
  require(typeof tensor !== "number", () => `a and b are ${show(a)} and ${show(b)}; expected at least one tensor`);
  return tensor;
}

function binary(
  term: Term,
  operator: Operator,
  given: readonly [Tensor | number, Tensor | number],
  layout: Layout,
  activation: ActivationSpec = NO_ACTIVATION,
): Tensor {
  const tensor = firstTensor(...given);
  const [a, b] = given;
  const { dtype } = specOf(tensor, "operand");
  let { shape }: { shape: readonly number[] } = tensor;
  if (typeof a !== "number" && typeof b !== "number") {
    shape = broadcastShapes([a.shape, b.shape], ["a", "b"], layout);
    requireDType("b", b, dtype, "a");
  }
  const parts = { layout, dtype };
  const y = runElementwise(given, { ...parts, name: operator.name, term, shape, activation });
  const inputs = given.filter((one) => typeof one !== "number");
  const rules = operator.gradients.filter((_, i) => typeof given[i] !== "number");
  const isPlain = activation.name === "none";
  const reads = new Set(rules.flatMap(({ of = [] }) => of));
  const saved = given.filter((one, i): one is Tensor => typeof one !== "number" && reads.has(i === 0 ? "a" : "b"));
  recordStep({
    name: operator.name,
    inputs,
    outputs: [y],
    saved: isPlain ? saved : [...saved, y],
    backward([dy], needed) {
      if (!dy) return [];
      const dz = isPlain ? dy : beforeActivation(runOf(dy), dy, { activation, source: y, slopes: undefined });
      const values = { dy: dz, a, b };
      const gradients = inputs.map((input, i) => {
        if (!needed[i]) return undefined;
        const { of = ["dy"], ...rule } = rules[i];
        const name = `gradient of ${operator.name}`;
        return gradientFor(
          input,
          of.map((one) => values[one]),
          { ...parts, ...rule, name, whole: shape },
        );
      });
      if (dz !== dy && !gradients.includes(dz)) dz.dispose();
      return gradients;
    },
  });
  return y;
}

function runOf(tensor: Tensor): Run {
  const context = contextOf(tensor, "dy");
  return (call, shapes) => context.run(call, shapes);
}
