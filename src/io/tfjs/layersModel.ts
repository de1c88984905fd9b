/** Layers models of TensorFlow.js, which Keras' converters write: model.json, and files of weights beside it. */
import { ByteReader, type ByteSource } from "../../base/byteReader.js";
import { FileError } from "../../base/fileError.js";
import { show, textOf } from "../../base/errors.js";
import { chained } from "../chain.js";
import type { Graph, GraphInput, GraphNode } from "../graph.js";
import { inOrder } from "../inOrder.js";
import type { SafeTensor } from "../safeTensor.js";
import { isRecord, Place } from "./json.js";
import { LayerReader } from "./layer.js";
import { LAYERS } from "./layers/index.js";
import { readManifest, type ShardSource } from "./manifest.js";
import { INPUT, type KerasLayer, readTopology, type Reference, type Topology, valueName } from "./topology.js";

/** What a model.json may have at most: weights are in other files. */
const MOST_JSON_BYTES = 64 * 2 ** 20;

/**
 * Reads a layers model of TensorFlow.js. Its weights are float32, or quantised to float16, uint8 or uint16.
 *
 * ```ts
 * const graph = await readLayersModel(await file("model.json"), (path) => file(path));
 * const model = loadModel(engine, graph); // of webgpu-conv/nn
 * ```
 *
 * @param source model.json
 * @param shard gives a file of weights by the name that model.json has for it
 * @param file what messages call model.json
 * @throws FileError for a torn or damaged file, and for layers and options that are not among those that are supported: with their name,
 *   and what is
 */
export async function readLayersModel(source: ByteSource, shard: ShardSource, file = "model.json"): Promise<Graph> {
  return await readModel(source, shard, file);
}

/**
 * The same network before the files of its weights have come, with zeros in their place: kernels can be compiled for it meanwhile, and the
 * network with its weights finds them there.
 *
 * ```ts
 * const json = await file("model.json");
 * const loading = readLayersModel(json, (path) => file(path));
 * const early = loadModel(engine, await readLayersStructure(json)); // of webgpu-conv/nn
 * (await early.compile([1, 128, 128, 3])).dispose();
 * disposeModule(early);
 * const model = loadModel(engine, await loading);
 * ```
 *
 * @param source model.json
 * @param file what messages call it
 * @throws FileError as {@link readLayersModel}, and where the weights would take more than 1 GiB
 */
export async function readLayersStructure(source: ByteSource, file = "model.json"): Promise<Graph> {
  return await readModel(source, undefined, file);
}

async function readModel(source: ByteSource, shard: ShardSource | undefined, file: string): Promise<Graph> {
  const place = new Place(file);
  const json = await readJson(source, file);
  if (!isRecord(json))
    throw place.error(`holds ${show(json)}; expected an object with modelTopology and weightsManifest`);
  if (json.format === "graph-model")
    throw place.error('has format "graph-model"; expected "layers-model", which keeps the network\'s layers');
  const topology = readTopology(json.modelTopology, place);
  const order = neededCalls(topology, place);
  for (const { layer } of order) requireKnown(layer, place);
  return makeGraph(topology, order, await readManifest(json.weightsManifest, shard, place), file, place);
}

async function readJson(source: ByteSource, file: string): Promise<unknown> {
  const reader = await ByteReader.open(source, file);
  try {
    const bytes = await reader.take(MOST_JSON_BYTES + 1);
    if (bytes.length > MOST_JSON_BYTES)
      throw new FileError(
        file,
        MOST_JSON_BYTES,
        `has more than ${String(MOST_JSON_BYTES)} bytes; expected a model's layers`,
      );
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as unknown;
  } catch (cause) {
    if (cause instanceof FileError) throw cause;
    throw new FileError(file, 0, `is not JSON: ${textOf(cause)}`, { cause });
  } finally {
    await reader.close();
  }
}

/** A call of a layer. */
interface LayerCall {
  readonly layer: KerasLayer;
  readonly call: number;
}

/** Calls that the outputs need. */
function neededCalls({ layers, outputs }: Topology, place: Place): LayerCall[] {
  const callOf = (reference: Reference): LayerCall => {
    const layer = layers.get(reference.layer);
    if (!layer) throw place.error(`reads ${show(reference.layer)}, which is none of its layers`);
    return { layer, call: reference.call };
  };
  return inOrder(
    outputs.map(callOf),
    ({ layer, call }) => valueName({ layer: layer.name, call }),
    ({ layer, call }) => (layer.calls[call] ?? []).map(callOf),
    ({ layer: { name, kind } }) => place.error(`has a loop through layer ${show(name)} (${kind})`),
  );
}

function requireKnown({ name, kind }: KerasLayer, place: Place): void {
  if (kind !== INPUT && !Object.hasOwn(LAYERS, kind))
    throw place.error(
      `layer ${show(name)} is a ${kind}, which is not supported; expected one of ${Object.keys(LAYERS).join(", ")}`,
    );
}

function makeGraph(
  { layers, inputs, outputs }: Topology,
  order: readonly LayerCall[],
  stored: ReadonlyMap<string, SafeTensor>,
  file: string,
  place: Place,
): Graph {
  const nodes: GraphNode[] = [];
  const weights = new Map<string, SafeTensor>();
  /** Values of layers that do nothing are those that they read. */
  const sameAs = new Map<string, string>();
  const resolved = (value: string): string => sameAs.get(value) ?? value;
  for (const { layer, call } of order) {
    const { name, kind, config, calls } = layer;
    if (kind === INPUT) continue;
    const own = place.within(`layer ${show(name)} (${kind})`);
    const read = (calls[call] ?? []).map((reference) => resolved(valueName(reference)));
    const parts = LAYERS[kind](new LayerReader(name, config, own, read, stored, weights));
    const output = valueName({ layer: name, call });
    if (!parts) {
      if (read.length !== 1) throw own.error(`has ${String(read.length)} inputs; expected one`);
      sameAs.set(output, read[0]);
      continue;
    }
    nodes.push(...chained(parts, layer, output));
  }
  return {
    file,
    inputs: inputs.map((name) => ({ name, shape: inputShape(layers.get(name)) })),
    outputs: outputs.map((reference) => resolved(valueName(reference))),
    nodes,
    weights,
  };
}

/** With the batch, where the file tells. */
function inputShape(layer: KerasLayer | undefined): GraphInput["shape"] {
  const shape = layer?.config.batch_input_shape ?? layer?.config.batchInputShape;
  if (!Array.isArray(shape)) return [];
  return shape.map((extent: unknown) => (typeof extent === "number" ? extent : undefined));
}
