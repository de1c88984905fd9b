/** What an ONNX file holds: ModelProto and what is in it, as far as it is needed (onnx.proto, version 3). */
import { FileError, grouped } from "../../base/fileError.js";
import { show } from "../../base/errors.js";
import { decodeBrainHalves, decodeHalves } from "../../base/half.js";
import { elementsOf } from "../safeTensor.js";
import { Message } from "./messages.js";

export interface OnnxModel {
  /** The version of the usual operators, ONNX's own domain. */
  readonly opset: number;
  readonly nodes: readonly OnnxNode[];
  readonly initialisers: ReadonlyMap<string, Constant>;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly string[];
}

export interface OnnxNode {
  readonly name: string;
  readonly kind: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

/** What was given of these. */
export interface Attribute {
  readonly float?: number;
  readonly integer?: number;
  readonly text?: string;
  readonly tensor?: Constant;
  readonly floats: readonly number[];
  readonly integers: readonly number[];
}

/** A tensor of the file's. */
export interface Constant {
  readonly shape: readonly number[];
  /** float32 of floating-point numbers; whole ones exactly, within 2^53. */
  readonly values: Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;
}

export interface OnnxValue {
  readonly name: string;
  readonly shape: readonly (number | undefined)[];
}

export function readModel(bytes: Uint8Array, file: string): OnnxModel {
  const message = Message.of(bytes, file);
  let graph: Omit<OnnxModel, "opset"> | undefined;
  let opset = 1;
  while (message.next()) {
    if (message.field === 7) graph = message.message(readGraph);
    else if (message.field === 8) opset = message.message(readOpset) ?? opset;
  }
  if (!graph) throw new FileError(file, 0, `has no graph in its ${grouped(bytes.length)} bytes: is this an ONNX file?`);
  return { opset, ...graph };
}

/** The version, of ONNX's own operators. */
function readOpset(message: Message): number | undefined {
  let domain = "";
  let version: number | undefined;
  while (message.next()) {
    if (message.field === 1) domain = message.text();
    else if (message.field === 2) version = message.integer();
  }
  return domain === "" || domain === "ai.onnx" ? version : undefined;
}

function readGraph(message: Message): Omit<OnnxModel, "opset"> {
  const nodes: OnnxNode[] = [];
  const initialisers = new Map<string, Constant>();
  const inputs: OnnxValue[] = [];
  const outputs: string[] = [];
  while (message.next()) {
    if (message.field === 1) nodes.push(message.message(readNode));
    else if (message.field === 5) initialisers.set(...message.message(readTensor));
    else if (message.field === 11) inputs.push(message.message(readValue));
    else if (message.field === 12) outputs.push(message.message(readValue).name);
  }
  return { nodes, initialisers, inputs: inputs.filter(({ name }) => !initialisers.has(name)), outputs };
}

function readNode(message: Message): OnnxNode {
  let [name, kind, domain] = ["", "", ""];
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, Attribute>();
  while (message.next()) {
    if (message.field === 1) inputs.push(message.text());
    else if (message.field === 2) outputs.push(message.text());
    else if (message.field === 3) name = message.text();
    else if (message.field === 4) kind = message.text();
    else if (message.field === 5) attributes.set(...message.message(readAttribute));
    else if (message.field === 7) domain = message.text();
  }
  return { name: name === "" ? (outputs[0] ?? kind) : name, kind, domain, inputs, outputs, attributes };
}

function readAttribute(message: Message): [string, Attribute] {
  let name = "";
  const floats: number[] = [];
  const integers: number[] = [];
  const one: { float?: number; integer?: number; text?: string; tensor?: Constant } = {};
  while (message.next()) {
    if (message.field === 1) name = message.text();
    else if (message.field === 2) one.float = message.float();
    else if (message.field === 3) one.integer = message.integer();
    else if (message.field === 4) one.text = message.text();
    else if (message.field === 5) [, one.tensor] = message.message(readTensor);
    else if (message.field === 7) message.floats(floats);
    else if (message.field === 8) message.integers(integers);
  }
  return [name, { ...one, floats, integers }];
}

function readValue(message: Message): OnnxValue {
  let name = "";
  let shape: OnnxValue["shape"] = [];
  while (message.next()) {
    if (message.field === 1) name = message.text();
    else if (message.field === 2) shape = message.message((type) => within(type, 1, readTensorType)) ?? [];
  }
  return { name, shape };
}

const readTensorType = (type: Message): OnnxValue["shape"] | undefined => within(type, 2, readShape);

function readShape(message: Message): OnnxValue["shape"] {
  const shape: (number | undefined)[] = [];
  while (message.next()) {
    if (message.field === 1) shape.push(message.message((extent) => within(extent, 1, undefined)));
  }
  return shape;
}

/** A field of a message: a message itself, or, without `read`, an integer. */
function within<Value = number>(
  message: Message,
  field: number,
  read: ((message: Message) => Value) | undefined,
): Value | undefined {
  let found: Value | undefined;
  while (message.next()) {
    if (message.field === field) found = read ? message.message(read) : (message.integer() as Value);
  }
  return found;
}

/** How raw bytes of a type become numbers. */
interface ElementType {
  readonly bytes: number;
  readonly isFloat: boolean;
  readonly decode: (buffer: ArrayBuffer) => ArrayLike<number>;
}

function halves(decode: (halves: Uint16Array, values: Float32Array) => void): ElementType["decode"] {
  return (buffer) => {
    const stored = new Uint16Array(buffer);
    const values = new Float32Array(stored.length);
    decode(stored, values);
    return values;
  };
}

/** By TensorProto.DataType. */
const TYPES: Readonly<Record<number, ElementType>> = {
  1: { bytes: 4, isFloat: true, decode: (buffer) => new Float32Array(buffer) },
  2: { bytes: 1, isFloat: false, decode: (buffer) => new Uint8Array(buffer) },
  3: { bytes: 1, isFloat: false, decode: (buffer) => new Int8Array(buffer) },
  6: { bytes: 4, isFloat: false, decode: (buffer) => new Int32Array(buffer) },
  7: { bytes: 8, isFloat: false, decode: (buffer) => Float64Array.from(new BigInt64Array(buffer), Number) },
  9: { bytes: 1, isFloat: false, decode: (buffer) => new Uint8Array(buffer) },
  10: { bytes: 2, isFloat: true, decode: halves(decodeHalves) },
  11: { bytes: 8, isFloat: true, decode: (buffer) => new Float64Array(buffer) },
  16: { bytes: 2, isFloat: true, decode: halves(decodeBrainHalves) },
};
/** float16's bits stand in int32_data. */
const HALF = 10;

function readTensor(message: Message): [string, Constant] {
  let name = "";
  let type = 0;
  let raw: Uint8Array | undefined;
  let isElsewhere = false;
  const [shape, numbers]: [number[], number[]] = [[], []];
  while (message.next()) {
    if (message.field === 1) message.integers(shape);
    else if (message.field === 2) type = message.integer();
    else if (message.field === 4) message.floats(numbers);
    else if (message.field === 5 || message.field === 7) message.integers(numbers);
    else if (message.field === 8) name = message.text();
    else if (message.field === 9) raw = message.bytes();
    else if (message.field === 10) message.doubles(numbers);
    else if (message.field === 14) isElsewhere = message.integer() === 1;
  }
  const what = `tensor ${show(name)}`;
  if (isElsewhere) throw message.error(`${what} has its values in another file; expected them in this one`);
  if (!Object.hasOwn(TYPES, type))
    throw message.error(
      `${what} has type ${String(type)}; expected one of ${Object.keys(TYPES).join(", ")} (TensorProto.DataType)`,
    );
  const { bytes, isFloat, decode } = TYPES[type];
  const elements = shape.every((extent) => extent >= 0) ? elementsOf(shape) : NaN;
  const has = raw ? raw.length / bytes : numbers.length;
  if (has !== elements)
    throw message.error(`${what} has ${String(has)} values; expected ${String(elements)}, for ${show(shape)}`);
  // A copy begins at a multiple of an element.
  const decoded = raw
    ? decode(new Uint8Array(raw).buffer)
    : type === HALF
      ? decode(Uint16Array.from(numbers).buffer)
      : numbers;
  return [name, { shape, values: isFloat ? Float32Array.from(decoded) : Float64Array.from(decoded) }];
}
