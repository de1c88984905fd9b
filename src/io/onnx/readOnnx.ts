/** Networks in ONNX's format. */
import { ByteReader, type ByteSource } from "../../base/byteReader.js";
import { FileError } from "../../base/fileError.js";
import { show } from "../../base/errors.js";
import { chained } from "../chain.js";
import type { Graph, GraphNode } from "../graph.js";
import { inOrder } from "../inOrder.js";
import type { SafeTensor } from "../safeTensor.js";
import { type Constant, type OnnxModel, type OnnxNode, readModel } from "./model.js";
import { NodeReader } from "./node.js";
import { OPERATORS } from "./operators/index.js";
import type { Operator } from "./operators/operator.js";
import { joinTransposes } from "./transposes.js";

/** ONNX's own operators have no domain, or this one. */
const OWN_DOMAINS = ["", "ai.onnx"];
const CONSTANT = "Constant";

/** Protocol buffers have no more. */
const MOST_BYTES = 2 ** 31;

/**
 * Reads a network in ONNX's format: its nodes as operations, channels first, its initialisers and constants as weights.
 *
 * ```ts
 * const model = loadModel(engine, await readOnnx(await file.arrayBuffer(), file.name)); // of webgpu-conv/nn
 * ```
 *
 * @param file what messages call the file
 * @throws FileError for a torn or damaged file, with the byte, and for operators and attributes that are not among those that are
 *   supported: with the node, and what is
 */
export async function readOnnx(source: ByteSource, file = "model.onnx"): Promise<Graph> {
  const reader = await ByteReader.open(source, file);
  try {
    return makeGraph(readModel(await reader.take(MOST_BYTES), file), file);
  } finally {
    await reader.close();
  }
}

function makeGraph(model: OnnxModel, file: string): Graph {
  const constants = new Map(model.initialisers);
  for (const node of model.nodes)
    if (node.kind === CONSTANT) constants.set(node.outputs[0] ?? "", constantOf(node, file));
  const order = neededNodes(model, constants, file);
  for (const node of order) requireKnown(node, file);
  const nodes: GraphNode[] = [];
  const weights = new Map<string, SafeTensor>();
  /** Values that a node only passes on. */
  const sameAs = new Map<string, string>();
  const resolved = (name: string): string => sameAs.get(name) ?? name;
  const read = new Set([...order.flatMap(({ inputs }) => inputs), ...model.outputs]);
  // The name of what is left out.
  read.delete("");
  for (const node of order) {
    const inputs = node.inputs.map(resolved);
    const reader = new NodeReader({ ...node, inputs }, model.opset, constants, weights, file);
    const operator = OPERATORS[node.kind];
    reader.requireKnown(operator.attributes);
    nodes.push(...operationsOf(node, operator, reader, read, sameAs));
  }
  for (const name of model.outputs)
    if (constants.has(resolved(name)))
      throw new FileError(file, 0, `has the constant ${show(name)} as a result; expected one that is computed`);
  // A result that is only passed on has its own name, too.
  for (const name of model.outputs)
    if (resolved(name) !== name)
      nodes.push({ op: "concat", parts: [resolved(name)], axis: 0, name, kind: "Identity", output: name });
  return {
    file,
    inputs: model.inputs.map(({ name, shape }) => ({ name, shape })),
    outputs: model.outputs,
    nodes: joinTransposes(nodes, model.outputs),
    weights,
  };
}

/** The operations of a node: one after the other, or each of a result that is read. */
function operationsOf(
  node: OnnxNode,
  operator: Operator,
  reader: NodeReader,
  read: ReadonlySet<string>,
  sameAs: Map<string, string>,
): GraphNode[] {
  const { name, kind, outputs } = node;
  if (operator.results) {
    const parts = operator.results(reader);
    if (parts.length !== outputs.length)
      throw reader.error(`has ${String(outputs.length)} results; expected ${String(parts.length)}`);
    return parts.flatMap((part, i) => (read.has(outputs[i]) ? [{ ...part, name, kind, output: outputs[i] }] : []));
  }
  if (outputs.slice(1).some((output) => output !== ""))
    throw reader.error(`has ${String(outputs.length)} results; expected one`);
  const computed = operator.read(reader);
  if (!("same" in computed)) return chained(computed, node, outputs[0]);
  sameAs.set(outputs[0], computed.same);
  return [];
}

function constantOf(node: OnnxNode, file: string): Constant {
  const { attributes, name } = node;
  const { tensor } = attributes.get("value") ?? {};
  if (tensor) return tensor;
  const [float, integer] = [attributes.get("value_float")?.float, attributes.get("value_int")?.integer];
  const [floats, integers] = [attributes.get("value_floats")?.floats, attributes.get("value_ints")?.integers];
  if (float !== undefined) return { shape: [], values: Float32Array.of(float) };
  if (integer !== undefined) return { shape: [], values: Float64Array.of(integer) };
  if (floats) return { shape: [floats.length], values: Float32Array.from(floats) };
  if (integers) return { shape: [integers.length], values: Float64Array.from(integers) };
  throw new FileError(
    file,
    0,
    `node ${show(name)} (${CONSTANT}) has ${show([...attributes.keys()])}; expected value, of numbers`,
  );
}

function requireKnown({ name, kind, domain }: OnnxNode, file: string): void {
  if (!OWN_DOMAINS.includes(domain) || !Object.hasOwn(OPERATORS, kind)) {
    const full = OWN_DOMAINS.includes(domain) ? kind : `${domain}.${kind}`;
    throw new FileError(
      file,
      0,
      `node ${show(name)} is a ${full}, which is not supported; expected one of ${Object.keys(OPERATORS).join(", ")}`,
    );
  }
}

/** The nodes that the results need. */
function neededNodes(
  { nodes, inputs, outputs }: OnnxModel,
  constants: ReadonlyMap<string, Constant>,
  file: string,
): OnnxNode[] {
  if (outputs.length === 0) throw new FileError(file, 0, "has no results; expected at least one");
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  const given = new Set(inputs.map(({ name }) => name));
  /** What computes these; an input that is left out has no name. */
  const makersOf = (values: readonly string[]): OnnxNode[] =>
    values.flatMap((value) => {
      if (value === "" || given.has(value) || constants.has(value)) return [];
      const node = makers.get(value);
      if (!node) throw new FileError(file, 0, `reads ${show(value)}, which no node computes`);
      return [node];
    });
  return inOrder(
    makersOf(outputs),
    (node) => node,
    (node) => makersOf(node.inputs),
    ({ name, kind }) => new FileError(file, 0, `has a loop through node ${show(name)} (${kind})`),
  );
}
