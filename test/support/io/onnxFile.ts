/** ONNX files, written field by field as onnx.proto numbers them. */
import { PbfWriter } from "pbf";

export interface TensorSpec {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
  /** float32 when absent. */
  readonly dtype?: "float32" | "float16-bits" | "int64" | "double";
  /** Whether its values are a list of numbers, and not raw bytes. */
  readonly isList?: boolean;
}

export type AttributeValue =
  number | string | readonly number[] | { readonly float: number } | { readonly tensor: TensorSpec };

export interface NodeSpec {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly domain?: string;
}

export interface ModelSpec {
  readonly inputs: Readonly<Record<string, readonly (number | string)[]>>;
  readonly outputs: readonly string[];
  readonly nodes: readonly NodeSpec[];
  readonly initialisers?: Readonly<Record<string, TensorSpec>>;
  readonly opset?: number;
}

const TYPES = { float32: 1, int64: 7, "float16-bits": 10, double: 11 } as const;

function rawBytes({ data, dtype = "float32" }: TensorSpec): Uint8Array {
  const values = Array.from(data);
  const arrays = {
    float32: () => Float32Array.from(values),
    double: () => Float64Array.from(values),
    int64: () => BigInt64Array.from(values, BigInt),
    "float16-bits": () => Uint16Array.from(values),
  };
  return new Uint8Array(arrays[dtype]().buffer);
}

function writeTensor(spec: TensorSpec & { readonly name: string }, pbf: PbfWriter): void {
  const { shape, data, dtype = "float32", isList = false, name } = spec;
  if (shape.length > 0) pbf.writePackedVarint(1, [...shape]);
  pbf.writeVarintField(2, TYPES[dtype]);
  pbf.writeStringField(8, name);
  const values = Array.from(data);
  if (!isList) pbf.writeBytesField(9, rawBytes(spec));
  else if (dtype === "float32") pbf.writePackedFloat(4, values);
  else if (dtype === "double") pbf.writePackedDouble(10, values);
  else pbf.writePackedVarint(dtype === "int64" ? 7 : 5, values);
}

/** AttributeProto.AttributeType. */
function attributeType(value: AttributeValue): number {
  if (typeof value === "number") return 2;
  if (typeof value === "string") return 3;
  if ("float" in value) return 1;
  return "tensor" in value ? 4 : 7;
}

function writeAttribute([name, value]: readonly [string, AttributeValue], pbf: PbfWriter): void {
  pbf.writeStringField(1, name);
  pbf.writeVarintField(20, attributeType(value));
  if (typeof value === "number") pbf.writeVarintField(3, value);
  else if (typeof value === "string") pbf.writeBytesField(4, new TextEncoder().encode(value));
  else if ("float" in value) pbf.writeFloatField(2, value.float);
  else if ("tensor" in value) pbf.writeMessage(5, writeTensor, { ...value.tensor, name: "" });
  else for (const integer of value) pbf.writeVarintField(8, integer);
}

function writeNode({ op, inputs, outputs, attributes = {}, domain }: NodeSpec, pbf: PbfWriter): void {
  for (const input of inputs) pbf.writeStringField(1, input);
  for (const output of outputs) pbf.writeStringField(2, output);
  pbf.writeStringField(3, `${op} of ${outputs[0]}`);
  pbf.writeStringField(4, op);
  for (const attribute of Object.entries(attributes)) pbf.writeMessage(5, writeAttribute, attribute);
  if (domain !== undefined) pbf.writeStringField(7, domain);
}

function writeExtent(extent: number | string, pbf: PbfWriter): void {
  if (typeof extent === "number") pbf.writeVarintField(1, extent);
  else pbf.writeStringField(2, extent);
}

/** @param value a name, and a shape where it is known */
function writeValue([name, shape]: readonly [string, readonly (number | string)[] | undefined], pbf: PbfWriter): void {
  pbf.writeStringField(1, name);
  pbf.writeMessage(
    2,
    (_, type: PbfWriter) => {
      type.writeMessage(
        1,
        (__, tensor: PbfWriter) => {
          tensor.writeVarintField(1, TYPES.float32);
          if (!shape) return;
          tensor.writeMessage(
            2,
            (___, dims: PbfWriter) => {
              for (const extent of shape) dims.writeMessage(1, writeExtent, extent);
            },
            undefined,
          );
        },
        undefined,
      );
    },
    undefined,
  );
}

function writeGraph({ inputs, outputs, nodes, initialisers = {} }: ModelSpec, pbf: PbfWriter): void {
  for (const node of nodes) pbf.writeMessage(1, writeNode, node);
  pbf.writeStringField(2, "graph");
  for (const [name, spec] of Object.entries(initialisers)) pbf.writeMessage(5, writeTensor, { ...spec, name });
  for (const input of Object.entries(inputs)) pbf.writeMessage(11, writeValue, input);
  for (const output of outputs) pbf.writeMessage(12, writeValue, [output, undefined] as const);
}

function writeOpset(version: number, pbf: PbfWriter): void {
  pbf.writeStringField(1, "");
  pbf.writeVarintField(2, version);
}

export function onnxFile(model: ModelSpec): Uint8Array<ArrayBuffer> {
  const pbf = new PbfWriter();
  pbf.writeVarintField(1, 8);
  pbf.writeMessage(7, writeGraph, model);
  pbf.writeMessage(8, writeOpset, model.opset ?? 17);
  return new Uint8Array(pbf.finish());
}
