/** Keras' layers and who reads whose result: a sequence, or a graph. */
import { show } from "../../base/errors.js";
import { fieldOf, isRecord, isText, type Json, listField, type Place } from "./json.js";

/** A layer's result: of which of its calls. */
export interface Reference {
  readonly layer: string;
  readonly call: number;
}

/** A layer, and the inputs of each of its calls: layers that are shared have several. */
export interface KerasLayer {
  readonly name: string;
  readonly kind: string;
  readonly config: Json;
  readonly calls: readonly (readonly Reference[])[];
}

export interface Topology {
  readonly layers: ReadonlyMap<string, KerasLayer>;
  readonly inputs: readonly string[];
  readonly outputs: readonly Reference[];
}

/** The name of the value that a call computes. */
export const valueName = ({ layer, call }: Reference): string => (call === 0 ? layer : `${layer}:${String(call)}`);

export const INPUT = "InputLayer";
const GRAPHS: readonly string[] = ["Functional", "Model"];

/** @throws FileError for what is neither a sequence nor a graph of layers, or has layers without results */
export function readTopology(modelTopology: unknown, place: Place): Topology {
  if (!isRecord(modelTopology)) throw place.error(`has modelTopology ${show(modelTopology)}; expected an object`);
  // A model that Keras saved as it is has its configuration one level further in.
  const model = isRecord(modelTopology.model_config) ? modelTopology.model_config : modelTopology;
  const kind = fieldOf(model, "class_name", isText, place);
  if (kind === "Sequential") return sequence(model.config, place);
  if (GRAPHS.includes(kind)) return graph(fieldOf(model, "config", isRecord, place), place);
  throw place.error(`is a ${show(kind)}; expected a Sequential, or a Functional or Model of layers`);
}

function sequence(config: unknown, place: Place): Topology {
  const list = Array.isArray(config) ? { layers: config as unknown[] } : config;
  if (!isRecord(list)) throw place.error(`has config ${show(config)}; expected the layers of a Sequential`);
  const entries = listField(list, "layers", isRecord, place);
  const layers = new Map<string, KerasLayer>();
  let before: string | undefined;
  for (const entry of entries) {
    const layer = readLayer(entry, place);
    if (before === undefined && layer.kind !== INPUT) before = addInput(layers, layer, place);
    add(layers, { ...layer, calls: [before === undefined ? [] : [{ layer: before, call: 0 }]] }, place);
    before = layer.name;
  }
  if (before === undefined) throw place.error("has no layers; expected at least one");
  const [input] = layers.keys();
  return { layers, inputs: [input], outputs: [{ layer: before, call: 0 }] };
}

/** The first layer of a sequence says which input it takes. */
function addInput(layers: Map<string, KerasLayer>, first: KerasLayer, place: Place): string {
  const name = `${first.name}_input`;
  add(layers, { name, kind: INPUT, config: first.config, calls: [[]] }, place);
  return name;
}

function graph(config: Json, place: Place): Topology {
  const layers = new Map<string, KerasLayer>();
  for (const entry of listField(config, "layers", isRecord, place)) {
    const layer = readLayer(entry, place);
    add(layers, { ...layer, calls: readCalls(entry, layer, place) }, place);
  }
  const reference = (value: unknown, what: string): Reference => {
    const found = readReference(value);
    const layer = found && layers.get(found.layer);
    if (!found || !layer || found.call >= Math.max(layer.calls.length, 1))
      throw place.error(`has ${show(value)} in ${what}; expected [name of a layer, number of its call, 0]`);
    return found;
  };
  const named = (field: string): Reference[] => referenceList(config[field]).map((value) => reference(value, field));
  for (const { calls, name } of layers.values())
    for (const inputs of calls)
      for (const { layer, call } of inputs) reference([layer, call, 0], `inbound_nodes of ${show(name)}`);
  const [inputs, outputs] = [named("input_layers"), named("output_layers")];
  if (inputs.length === 0 || outputs.length === 0)
    throw place.error(
      `has ${String(inputs.length)} input_layers and ${String(outputs.length)} output_layers; expected one or more of each`,
    );
  return { layers, inputs: inputs.map(({ layer }) => layer), outputs };
}

function readLayer(entry: Json, place: Place): KerasLayer {
  const config = fieldOf(entry, "config", isRecord, place.within("a layer"));
  const name = isText(entry.name) ? entry.name : fieldOf(config, "name", isText, place.within("a layer"));
  return { name, kind: fieldOf(entry, "class_name", isText, place.within(`layer ${show(name)}`)), config, calls: [] };
}

function add(layers: Map<string, KerasLayer>, layer: KerasLayer, place: Place): void {
  if (layers.has(layer.name)) throw place.error(`has two layers named ${show(layer.name)}`);
  layers.set(layer.name, layer);
}

function readCalls(entry: Json, { name, kind }: KerasLayer, place: Place): Reference[][] {
  const own = place.within(`layer ${show(name)} (${kind})`);
  const calls = listField(entry, "inbound_nodes", Array.isArray as (value: unknown) => value is unknown[], own);
  if (calls.length === 0) return [[]];
  return calls.map((call) =>
    referenceList(call).map((value) => {
      const found = readReference(value);
      if (!found) throw own.error(`reads ${show(value)}; expected [name of a layer, number of its call, 0]`);
      return found;
    }),
  );
}

/** One reference alone is not always in a list. */
function referenceList(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) return value === undefined ? [] : [value];
  return isText(value[0]) ? [value] : (value as unknown[]);
}

/** Layers with several results are none of those that are read: the third number is 0. */
function readReference(value: unknown): Reference | undefined {
  if (!Array.isArray(value)) return undefined;
  const [layer, call, tensor] = value as unknown[];
  return isText(layer) && Number.isSafeInteger(call) && (call as number) >= 0 && tensor === 0
    ? { layer, call: call as number }
    : undefined;
}
