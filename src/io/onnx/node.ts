/** An ONNX node while it becomes operations: its attributes, and what of its inputs is constant. */
import { show } from "../../base/errors.js";
import { FileError } from "../../base/fileError.js";
import type { Operand, PlainActivation } from "../graph.js";
import { floatTensor, type SafeTensor } from "../safeTensor.js";
import type { Attribute, Constant, OnnxNode } from "./model.js";

export class NodeReader {
  readonly node: OnnxNode;
  readonly opset: number;
  readonly #constants: ReadonlyMap<string, Constant>;
  readonly #weights: Map<string, SafeTensor>;
  readonly #file: string;

  constructor(
    node: OnnxNode,
    opset: number,
    constants: ReadonlyMap<string, Constant>,
    weights: Map<string, SafeTensor>,
    file: string,
  ) {
    this.node = node;
    this.opset = opset;
    this.#constants = constants;
    this.#weights = weights;
    this.#file = file;
  }

  error(explanation: string): FileError {
    return new FileError(this.#file, 0, `node ${show(this.node.name)} (${this.node.kind}) ${explanation}`);
  }

  /** How many inputs are given: those left out at the end have no name. */
  has(i: number): boolean {
    return (this.node.inputs[i] ?? "") !== "";
  }

  /** A value that is computed. */
  value(i: number): string {
    const name = this.#input(i);
    if (this.#constants.has(name))
      throw this.error(`has the constant ${show(name)} as input ${String(i)}; expected a value that is computed`);
    return name;
  }

  isConstant(i: number): boolean {
    return this.#constants.has(this.#input(i));
  }

  constant(i: number): Constant {
    const name = this.#input(i);
    const constant = this.#constants.get(name);
    if (!constant) throw this.error(`computes its input ${String(i)}, ${show(name)}; expected a constant of the file`);
    return constant;
  }

  /** A constant's numbers; undefined where the input is left out. */
  numbers(i: number): readonly number[] | undefined {
    return this.has(i) ? Array.from(this.constant(i).values) : undefined;
  }

  /** Likewise, of one number. */
  scalar(i: number): number | undefined {
    const numbers = this.numbers(i);
    if (numbers && numbers.length !== 1)
      throw this.error(`has ${String(numbers.length)} numbers as input ${String(i)}; expected one`);
    return numbers?.[0];
  }

  /** A constant as a weight of the graph, under its own name; where another node makes another weight of it, with this node's result's. */
  weight(i: number, change: (constant: Constant) => Constant = (constant) => constant): string {
    const name = this.#input(i);
    const { shape, values } = change(this.constant(i));
    const tensor = floatTensor(Float32Array.from(values), shape);
    const known = this.#weights.get(name);
    const own = known && !isSame(known, tensor) ? `${name}/${this.node.outputs[0] ?? ""}` : name;
    this.#weights.set(own, tensor);
    return own;
  }

  /** What arithmetic takes: of a constant of one element its number. */
  operand(i: number): Operand {
    const name = this.#input(i);
    const constant = this.#constants.get(name);
    if (!constant) return name;
    if (constant.values.length === 1) return constant.values[0];
    // With one axis it lies along the last one of the other operand, and not along the channels.
    return {
      weight: this.weight(i, ({ shape, values }) => ({ shape: shape.length === 1 ? [1, ...shape] : shape, values })),
    };
  }

  /** How many axes arithmetic with these has at least: that of a constant which is a number here, where it has more than one. */
  axesOfNumbers(...inputs: readonly number[]): number | undefined {
    const numbers = inputs.flatMap((i) => this.#constants.get(this.#input(i)) ?? []);
    const axes = Math.max(0, ...numbers.map(({ shape, values }) => (values.length === 1 ? shape.length : 0)));
    return axes > 1 ? axes : undefined;
  }

  integer(name: string, missing: number): number {
    return this.node.attributes.get(name)?.integer ?? missing;
  }

  float(name: string, missing: number): number {
    return this.node.attributes.get(name)?.float ?? missing;
  }

  text(name: string, missing: string): string {
    return this.node.attributes.get(name)?.text ?? missing;
  }

  integers(name: string): readonly number[] | undefined {
    const list = this.node.attributes.get(name)?.integers;
    return list?.length ? list : undefined;
  }

  /** One of these, by ONNX's name. */
  oneOf<Choice>(name: string, missing: string, choices: Readonly<Record<string, Choice>>): Choice {
    const text = this.text(name, missing);
    if (!Object.hasOwn(choices, text))
      throw this.error(`has ${name} ${show(text)}; expected one of ${Object.keys(choices).join(", ")}`);
    return choices[text];
  }

  /** Throws for an attribute that is none of these, whose meaning would be lost. */
  requireKnown(known: readonly string[]): void {
    for (const name of this.node.attributes.keys())
      if (!known.includes(name))
        throw this.error(
          `has the attribute ${show(name)}, which is not supported; expected any of ${known.join(", ")}`,
        );
  }

  attribute(name: string): Attribute | undefined {
    return this.node.attributes.get(name);
  }

  #input(i: number): string {
    const name = this.node.inputs[i] ?? "";
    if (name === "") throw this.error(`has ${String(this.node.inputs.length)} inputs; expected an input ${String(i)}`);
    return name;
  }
}

const isSame = (a: SafeTensor, b: SafeTensor): boolean =>
  a.shape.length === b.shape.length &&
  a.shape.every((extent, axis) => extent === b.shape[axis]) &&
  a.bytes.every((byte, i) => byte === b.bytes[i]);

/** An affine function of x between 0 and 1, ONNX's HardSigmoid; that with a slope of 1/6 and 1/2 at 0 is PyTorch's. */
export const isHardSigmoid = (alpha: number, beta: number): boolean => Math.abs(alpha - 1 / 6) < 1e-6 && beta === 0.5;

/** Between two numbers, either of which may be missing. */
export function clamp(min = -Infinity, max = Infinity): PlainActivation {
  if (min === 0 && max === 6) return "relu6";
  return { name: "clamp", min, max };
}
