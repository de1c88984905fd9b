/**
 * ONNX models of a few nodes, as bytes. The numbers are the fields' of onnx.proto
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
 */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

export interface OnnxNode {
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: Readonly<Record<string, number | readonly number[]>>;
}

/** A float32 tensor. */
export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly (OnnxTensor & { readonly values: Float32Array })[];
  readonly input: OnnxTensor;
  readonly output: OnnxTensor;
}

type Write = (writer: BinaryWriter) => void;

const FLOAT = 1;
const INT_ATTRIBUTE = 2;
const INTS_ATTRIBUTE = 7;
/** Version 17 of the operators is described by version 8 of the format. */
const FORMAT_VERSION = 8;
const OPERATORS_VERSION = 17;

/** The bytes of a ModelProto. */
export function encodeModel(graph: OnnxGraph): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  integer(writer, 1, FORMAT_VERSION);
  message(writer, 7, (part) => writeGraph(part, graph));
  message(writer, 8, (part) => {
    text(part, 1, "");
    integer(part, 2, OPERATORS_VERSION);
  });
  return writer.finish();
}

function writeGraph(writer: BinaryWriter, { nodes, constants, input, output }: OnnxGraph): void {
  for (const node of nodes) message(writer, 1, (part) => writeNode(part, node));
  text(writer, 2, "graph");
  for (const { name, shape, values } of constants) {
    message(writer, 5, (part) => {
      for (const extent of shape) integer(part, 1, extent);
      integer(part, 2, FLOAT);
      text(part, 8, name);
      part.tag(9, WireType.LengthDelimited).bytes(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    });
  }
  message(writer, 11, (part) => writeValueInfo(part, input));
  message(writer, 12, (part) => writeValueInfo(part, output));
}

function writeNode(writer: BinaryWriter, { operator, inputs, output, attributes }: OnnxNode): void {
  for (const input of inputs) text(writer, 1, input);
  text(writer, 2, output);
  text(writer, 4, operator);
  for (const [name, value] of Object.entries(attributes)) {
    message(writer, 5, (part) => {
      text(part, 1, name);
      if (typeof value === "number") integer(part, 3, value);
      else for (const item of value) integer(part, 8, item);
      integer(part, 20, typeof value === "number" ? INT_ATTRIBUTE : INTS_ATTRIBUTE);
    });
  }
}

function writeValueInfo(writer: BinaryWriter, { name, shape }: OnnxTensor): void {
  text(writer, 1, name);
  message(writer, 2, (type) => {
    message(type, 1, (tensor) => {
      integer(tensor, 1, FLOAT);
      message(tensor, 2, (extents) => {
        for (const extent of shape) message(extents, 1, (dimension) => integer(dimension, 1, extent));
      });
    });
  });
}

function message(writer: BinaryWriter, field: number, write: Write): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write(writer);
  writer.join();
}

function integer(writer: BinaryWriter, field: number, value: number): void {
  writer.tag(field, WireType.Varint).int64(value);
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value);
}
