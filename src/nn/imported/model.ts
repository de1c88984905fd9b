/** A graph as a module, by the code that runs its operations. */
import type { Engine } from "../../api/engine.js";
import { require, show } from "../../base/errors.js";
import { listOf, type NumberList } from "../../base/list.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { type Graph, type GraphInput, weightsOf } from "../../io/graph.js";
import { floatValues } from "../../io/safeTensor.js";
import { type DType, readDType } from "../../problem/dtype.js";
import type { Tensor } from "../../tensor/tensor.js";
import { coreOf, showShape } from "../core/operation.js";
import { defineModule, type Module } from "../modules/module.js";
import type { compileForward, ForwardPass } from "../recorded/compileForward.js";
import type { InputShapes } from "../recorded/inputs.js";
import { type FusedStep, fuseSteps, readBy } from "./fuse.js";
import type { Runners } from "./runners/runner.js";
import { runStep, valueOf } from "./runStep.js";
import type { simplify } from "./simplify.js";

export interface LoadModelOptions {
  /** Of the weights, and of what the model takes: "float32" when absent. */
  readonly dtype?: DType;
  /**
   * Whether batch norms, and constants that are multiplied and added, become part of the layers before them: quicker, and no longer there
   * to be trained. True when absent.
   */
  readonly foldNorms?: boolean;
}
const OPTIONS = optionKeys<LoadModelOptions>({ dtype: 1, foldNorms: 1 }, { string: "dtype", boolean: "foldNorms" });

/** A network from a file. Its layers have the file's names: `children.conv1`, and `parametersOf(model)["conv1.weight"]`. */
export interface LoadedModel extends Module {
  /** What it takes. Extents that the file leaves open may be of whatever size the layers take. */
  readonly inputs: readonly GraphInput[];
  /** Names of its results. */
  readonly outputs: readonly string[];
  /**
   * All results, by name, from all inputs; `forward` is for networks with one of each.
   *
   * @returns new tensors, the caller's
   */
  run(inputs: Readonly<Record<string, Tensor>>): Record<string, Tensor>;
  /**
   * Records all of it for inputs of one size, as `compileForward` does, and waits until its kernels are compiled.
   *
   * @param shapes by name, or that of the only input: `[1, 3, 224, 224]`
   * @returns a pass that is run with values by name; its results by name are its own to dispose of
   */
  compile(shapes: NumberList | InputShapes<string>): Promise<ForwardPass<string, Record<string, Tensor>>>;
}

/** What networks are made with. */
export interface ModelCode {
  readonly runners: Runners;
  /** Absent where there is nothing to be simplified. */
  readonly simplify?: typeof simplify;
  readonly compileForward: () => Promise<typeof compileForward>;
}

/** As `loadModel` says. */
export function makeModel(engine: Engine, graph: Graph, options: LoadModelOptions, code: ModelCode): LoadedModel {
  coreOf(engine);
  const { dtype, folds } = requireModelOptions(options);
  const planned = code.simplify?.(graph, folds) ?? graph;
  const steps = fuseSteps(planned);
  const weights = new Map<string, Tensor>();
  const weight = (name: string): Tensor => {
    const known = weights.get(name);
    if (known) return known;
    const stored = planned.weights.get(name);
    require(stored !== undefined, () => `${graph.file} has no weight ${show(name)}`);
    const tensor = engine.tensor(floatValues(stored), stored.shape, { dtype, keep: true });
    weights.set(name, tensor);
    return tensor;
  };
  /** Of the run that is under way. */
  let values = new Map<string, Tensor>();
  const children = new Map<string, Module>();
  try {
    for (const step of steps)
      children.set(
        step.node.output,
        layerOf(step, code.runners, engine, weight, () => values),
      );
  } catch (error) {
    for (const tensor of weights.values()) tensor.dispose();
    throw error;
  }
  const { inputs, outputs } = graph;

  const run = (given: Readonly<Record<string, Tensor>>, training: boolean): Record<string, Tensor> => {
    requireInputs(inputs, given);
    for (const child of children.values()) child.training = training;
    const before = values;
    values = new Map(Object.entries(given));
    try {
      for (const step of steps) {
        const { node, output, last } = step;
        const [x] = readBy(step);
        const child = children.get(node.output);
        if (child) values.set(output, child.forward(valueOf(values, x)));
        for (const name of last) {
          values.get(name)?.dispose();
          values.delete(name);
        }
      }
      return Object.fromEntries(outputs.map((name) => [name, valueOf(values, name)]));
    } catch (error) {
      for (const [name, tensor] of values) if (!Object.hasOwn(given, name)) tensor.dispose();
      throw error;
    } finally {
      values = before;
    }
  };

  const module = defineModule({
    kind: graph.file,
    children: Object.fromEntries(children),
    forward(x, { training }) {
      require(inputs.length === 1 && outputs.length === 1, () => {
        return `${graph.file} has the inputs ${show(inputs.map(({ name }) => name))} and the outputs ${show(outputs)}; expected one of each for forward: run takes and gives them by name`;
      });
      return run({ [inputs[0].name]: x }, training)[outputs[0]];
    },
  });
  module.training = false;
  return Object.assign(module, {
    inputs,
    outputs,
    run: (given: Readonly<Record<string, Tensor>>) => run(given, module.training),
    compile: async (shapes: NumberList | InputShapes<string>) => {
      const list = listOf(shapes);
      require(!list || inputs.length === 1, () => {
        return `shapes is ${show(shapes)}; expected shapes by name, of ${show(inputs.map(({ name }) => name))}`;
      });
      const named = list ? { [inputs[0].name]: shapes as NumberList } : (shapes as InputShapes<string>);
      const record = await code.compileForward();
      return await record<string, Record<string, Tensor>>(engine, {
        inputs: named,
        compute: (given) => run(given, module.training),
        dtype,
      });
    },
  });
}

export function requireModelOptions(options: LoadModelOptions): { readonly dtype: DType; readonly folds: boolean } {
  requireOptions(options, OPTIONS);
  const { foldNorms: folds = true } = options;
  require(typeof folds === "boolean", () => `foldNorms is ${show(folds)}; expected true or false`);
  return { dtype: readDType(options.dtype), folds };
}

function requireInputs(inputs: readonly GraphInput[], given: Readonly<Record<string, Tensor>>): void {
  const names = inputs.map(({ name }) => name);
  require(names.every((name) => Object.hasOwn(given, name)) && Object.keys(given).length === names.length, () => {
    return `inputs has ${show(Object.keys(given))}; expected ${show(names)}`;
  });
  for (const { name, shape } of inputs) {
    const actual = given[name].shape;
    const fits =
      shape.length === 0 ||
      (shape.length === actual.length &&
        shape.every((extent, axis) => extent === undefined || extent === actual[axis]));
    require(fits, () => {
      const expected = shape.map((extent) => (extent === undefined ? "any" : String(extent))).join(", ");
      return `input ${show(name)} has shape ${showShape(actual)}; expected [${expected}]`;
    });
  }
}

/** A layer as a module, which finds what it reads beside x among the values of the run. */
function layerOf(
  step: FusedStep,
  runners: Runners,
  engine: Engine,
  weight: (name: string) => Tensor,
  values: () => ReadonlyMap<string, Tensor>,
): Module {
  const { node } = step;
  const tensors = Object.entries(weightsOf(node)).map(([role, name]) => [role, weight(name)] as const);
  const isBuffer = ([role]: readonly [string, Tensor]): boolean => role.startsWith("running_");
  const [first] = readBy(step);
  return defineModule({
    kind: node.kind,
    parameters: Object.fromEntries(tensors.filter((entry) => !isBuffer(entry))),
    buffers: Object.fromEntries(tensors.filter(isBuffer)),
    forward(x, { training }) {
      const value = (name: string): Tensor => (name === first ? x : valueOf(values(), name));
      return runStep(step, { engine, value, weight, training }, runners);
    },
  });
}
