/** Random small networks as ONNX files, of all operators that are read, with bounds of what float32 makes of them. */
import { Random } from "../../data.js";
import type { ModelSpec, NodeSpec, TensorSpec } from "../onnxFile.js";
import { MOVES } from "./moves.js";
import { POINTWISE } from "./pointwise.js";
import { list, real, type Value } from "./value.js";
import { WINDOWS } from "./windows.js";

export interface RandomNetwork {
  readonly model: ModelSpec;
  readonly x: TensorSpec;
  /** In the order of the nodes; each is a result of the network. */
  readonly values: readonly Value[];
  /** The operators' names. */
  readonly operators: string;
  /** The operators with their attributes, for messages. */
  readonly text: string;
}

const OPSETS = [7, 8, 9, 10, 11, 12, 13, 14, 17, 18, 19] as const;
/** Larger values are left as they are. */
const MOST_ELEMENTS = 4000;

/** The network of a seed, of up to four operators one after the other. */
export function randomNetwork(seed: number): RandomNetwork {
  const random = new Random(seed);
  const opset = random.pick(OPSETS);
  const rank = random.pick([1, 2, 2, 2, 3]);
  const shape = [
    random.integer(1, 2),
    random.integer(1, 6),
    ...list(rank, () => random.integer(1, rank === 3 ? 4 : 7)),
  ];
  const x: TensorSpec = {
    shape,
    data: list(
      shape.reduce((a, b) => a * b),
      () => 2 * real(random),
    ),
  };
  const nodes: NodeSpec[] = [];
  const initialisers: Record<string, TensorSpec> = {};
  const values: Value[] = [];
  let value: Value = { name: "x", shape, most: 2, error: 0 };
  const length = random.integer(1, 4);
  for (let tries = 0; nodes.length < length && tries < 50; tries++) {
    const generators = random.pick([WINDOWS, POINTWISE, MOVES]);
    // Without positions there is less that goes over them.
    const made =
      value.shape.length < 3 && generators === WINDOWS ? undefined : random.pick(generators)(random, value, opset);
    if (!made || made.results.some((result) => result.shape.reduce((a, b) => a * b) > MOST_ELEMENTS)) continue;
    const at = String(nodes.length);
    const constants = (made.constants ?? []).map((tensor, i) => {
      if (!tensor) return "";
      initialisers[`c${at}.${String(i)}`] = tensor;
      return `c${at}.${String(i)}`;
    });
    const outputs = made.results.map((_, i) => `y${at}.${String(i)}`);
    const inputs = made.isBehind ? [...constants, value.name] : [value.name, ...constants];
    nodes.push({ op: made.op, inputs, outputs, attributes: made.attributes ?? {} });
    made.results.forEach((result, i) => values.push({ ...result, name: outputs[i] }));
    value = values[values.length - 1];
  }
  const model = { inputs: { x: shape }, outputs: values.map(({ name }) => name), nodes, initialisers, opset };
  const text = nodes.map(({ op, attributes, inputs }) => {
    const constants = inputs.filter((name) => name !== "" && Object.hasOwn(initialisers, name));
    return `${op} ${JSON.stringify(attributes)} ${JSON.stringify(constants.map((name) => initialisers[name].shape))}`;
  });
  const operators = nodes.map(({ op }) => op).join(" ");
  return {
    model,
    x,
    values,
    operators,
    text: `opset ${String(opset)}, x ${JSON.stringify(shape)}: ${text.join("; ")}`,
  };
}
