/** What a network is made of, layer by layer, as the textbook counts it: nothing is computed for it. */
import { require, show } from "../../base/errors.js";
import { listOf, type NumberList } from "../../base/list.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { type DType, readDType } from "../../problem/dtype.js";
import { readExtents } from "../../problem/shapes.js";
import type { Tensor } from "../../tensor/tensor.js";
import { type Module, modulesOf, parametersOf, requireModule } from "../modules/module.js";
import { runTraced } from "../trace/runTraced.js";
import { OperationTrace, type TracedOperation } from "./operationTrace.js";
import { table } from "./table.js";

/** A layer of a network. */
export interface ExplainedLayer {
  /** "layer1.0.conv1"; empty for what a network does itself. */
  readonly path: string;
  /** "conv2d 3x3, padding 1". */
  readonly kind: string;
  /** The output volume. */
  readonly shape: readonly number[];
  /** Learned values of its own, biases included. */
  readonly weights: number;
  readonly multiplyAdds: number;
  /** Positions of the network's input that a value is computed from, along each spatial axis; undefined where that is all. */
  readonly receptiveField: readonly number[] | undefined;
  /** Of what it computes: kept for the gradients in training. */
  readonly bytes: number;
  /** The path of the layer in whose pass it runs; undefined where it has one of its own. */
  readonly fusedInto: string | undefined;
  readonly operations: readonly TracedOperation[];
}

export interface NetworkExplanation {
  readonly layers: readonly ExplainedLayer[];
  /** Learned values of the network, those that layers share counted once. */
  readonly weights: number;
  /** Of a forward pass. */
  readonly multiplyAdds: number;
  readonly bytes: number;
  /** Kernels that a forward pass starts; 0 on the CPU. */
  readonly dispatches: number;
  /** The table, for a terminal. */
  toString(): string;
}

export interface ExplainNetworkOptions {
  /** Of the input; "float32" when absent. */
  readonly dtype?: DType;
}
const OPTIONS = optionKeys<ExplainNetworkOptions>({ dtype: 1 }, { string: "dtype" });

/**
 * A network's layers for an input of that shape: output volumes, weights, multiply-adds, receptive fields, memory, and how each
 * operation is planned on the engine's device. Nothing is computed.
 *
 * @throws whatever the network throws for such an input.
 */
export function explainNetwork(
  module: Module,
  inputShape: NumberList,
  options: ExplainNetworkOptions = {},
): NetworkExplanation {
  requireModule("module", module);
  requireOptions(options, OPTIONS);
  const dtype = readDType(options.dtype);
  const shape = readExtents("the input", listOf(inputShape) ?? [], false);
  const parameters = Object.values(parametersOf(module));
  require(parameters.length > 0, () => `the module ${show(module.kind)} has no parameters; expected a network`);
  const { steps } = runTraced(
    parameters[0],
    { shape, dtype },
    (x) => module.forward(x),
    (backend, path) => new OperationTrace(backend, path),
  );
  const placed = new Map(modulesOf(module).map((one) => [one.path, one.module]));
  const layers: ExplainedLayer[] = [];
  let open: { path: string; operations: TracedOperation[] } | undefined;
  const close = (): void => {
    if (open) layers.push(explainLayer(open.path, placed.get(open.path), open.operations));
  };
  for (const { path, operation } of steps) {
    if (open?.path === path) open.operations.push(operation);
    else {
      close();
      open = { path, operations: [operation] };
    }
  }
  close();
  return new Explained(layers, sizeOf(parameters));
}

const sizeOf = (tensors: readonly Tensor[]): number => tensors.reduce((sum, { size }) => sum + size, 0);

function explainLayer(
  path: string,
  module: Module | undefined,
  operations: readonly TracedOperation[],
): ExplainedLayer {
  const last = operations[operations.length - 1];
  const sum = (of: (operation: TracedOperation) => number): number => operations.reduce((all, one) => all + of(one), 0);
  const isLeaf = module && Object.keys(module.children).length === 0;
  return {
    path,
    kind: isLeaf ? module.kind : operations.map(({ name }) => name).join(", "),
    shape: last.shapes[0],
    weights: module ? sizeOf(Object.values(module.parameters)) : 0,
    multiplyAdds: sum(({ multiplyAdds }) => multiplyAdds),
    receptiveField: last.receptiveField,
    bytes: sum(({ bytes }) => bytes),
    fusedInto: last.fusedInto,
    operations,
  };
}

class Explained implements NetworkExplanation {
  readonly layers: readonly ExplainedLayer[];
  readonly weights: number;

  constructor(layers: readonly ExplainedLayer[], weights: number) {
    this.layers = layers;
    this.weights = weights;
  }

  get multiplyAdds(): number {
    return this.layers.reduce((sum, layer) => sum + layer.multiplyAdds, 0);
  }

  get bytes(): number {
    return this.layers.reduce((sum, layer) => sum + layer.bytes, 0);
  }

  get dispatches(): number {
    const plans = this.layers.flatMap(({ operations }) => operations.flatMap(({ plan }) => plan ?? []));
    return plans.reduce((sum, { dispatches }) => sum + dispatches.length, 0);
  }

  toString(): string {
    const rows = this.layers.map((layer) => [
      layer.path || "(network)",
      layer.fusedInto === undefined ? layer.kind : `${layer.kind}, in ${layer.fusedInto}`,
      layer.shape.join(" x "),
      grouped(layer.weights),
      grouped(layer.multiplyAdds),
      describeField(layer.receptiveField, layer.shape.length - 2),
      grouped(layer.bytes),
    ]);
    const total = ["total", "", "", grouped(this.weights), grouped(this.multiplyAdds), "", grouped(this.bytes)];
    return table(["layer", "kind", "output", "weights", "multiply-adds", "receptive field", "bytes"], [...rows, total]);
  }
}

const grouped = (value: number): string => value.toLocaleString("en");

/** @param axes spatial axes of the layer's result; all three where it has none any more */
function describeField(field: readonly number[] | undefined, axes: number): string {
  if (!field) return "all";
  return (axes >= 1 && axes <= 3 ? field.slice(-axes) : field).join(" x ");
}
