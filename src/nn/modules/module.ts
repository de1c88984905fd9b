/** Modules: layers and networks of them, as plain objects with parameters by PyTorch's names. */
import { ConvError, require, show } from "../../base/errors.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { requireTensor, type Tensor } from "../../tensor/tensor.js";
import { layerTapeOf } from "../tape/step.js";
import type { Fusion } from "./fusion.js";

/** A layer, or a network of layers. {@link defineModule} makes one. */
export interface Module {
  /** What it is, in a word or two, with what its tensors do not tell: "conv2d 3x3, padding 1". */
  readonly kind: string;
  /** Its name in the module that it is part of; empty where it is part of none. */
  name: string;
  /** What it learns itself, by name: "weight", "bias". */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /** What it keeps besides, and does not learn: "running_mean". */
  readonly buffers: Readonly<Record<string, Tensor>>;
  /** The modules that it is made of, by name. */
  readonly children: Readonly<Record<string, Module>>;
  /** Whether it computes as it does in training: {@link setTraining} sets it for a whole network. True at first. */
  training: boolean;
  /** Whether its own parameters are not learned: {@link setFrozen}. */
  frozen: boolean;
  /**
   * Computes its result: a new tensor, the caller's.
   *
   * @throws ArgumentError, with the path of the layer: "in layer layer1.0.conv1: ...".
   */
  forward(x: Tensor): Tensor;
  /** How it shares a pass with its neighbours, which calls no `forward`; of the library's own layers. */
  readonly fusion?: Fusion<Module> | undefined;
}

/** What a module is made from. */
export interface ModuleParts {
  readonly kind: string;
  readonly parameters?: Readonly<Record<string, Tensor>>;
  readonly buffers?: Readonly<Record<string, Tensor>>;
  readonly children?: Readonly<Record<string, Module>>;
  /** @param self the module: `self.training`, say */
  readonly forward: (x: Tensor, self: Module) => Tensor;
}

const PARTS = optionKeys<ModuleParts>({ kind: 1, parameters: 1, buffers: 1, children: 1, forward: 1 });

/** Throws unless it is a module. */
export function requireModule(name: string, value: unknown): asserts value is Module {
  const { forward, children } = (value as Partial<Module> | null | undefined) ?? {};
  require(typeof forward === "function" && typeof children === "object", () => {
    return `${name} is ${show(value)}; expected a module: one of layers, or what defineModule makes`;
  });
}

/**
 * A module of one's own:
 *
 * ```ts
 * const block = defineModule({
 *   kind: "residual block",
 *   children: { conv1, bn1, conv2, bn2 },
 *   forward: (x) => add(bn2.forward(conv2.forward(bn1.forward(conv1.forward(x)))), x, { activation: "relu" }),
 * });
 * ```
 *
 * What `forward` computes between is not given back by itself: within a {@link Tape}'s run it is the tape's, elsewhere it belongs
 * to the engine's scope.
 */
export function defineModule(parts: ModuleParts): Module {
  return makeModule(parts, undefined);
}

/** A layer that may share a pass with its neighbours. */
export function makeModule(parts: ModuleParts, fusion: Fusion<Module> | undefined): Module {
  requireOptions(parts, PARTS, "module");
  const { kind, parameters = {}, buffers = {}, children = {}, forward } = parts;
  require(typeof forward === "function", () => `forward is ${show(forward)}; expected a function of a tensor`);
  for (const [name, tensor] of Object.entries({ ...parameters, ...buffers })) requireTensor(name, tensor);
  for (const [name, child] of Object.entries(children)) requireModule(`children.${name}`, child);
  for (const [name, child] of Object.entries(children)) child.name = name;
  return {
    kind,
    name: "",
    parameters,
    buffers,
    children,
    training: true,
    frozen: false,
    fusion,
    forward(x) {
      return runAs(this, x, () => forward(x, this));
    },
  };
}

/** Computes a module's result: what is recorded is the module's, and errors name it. */
export function runAs(module: Module, x: Tensor, compute: () => Tensor): Tensor {
  requireTensor("x", x);
  const tape = layerTapeOf(x);
  tape?.enter(module);
  try {
    const y = compute();
    requireTensor(`the result of ${module.kind}`, y);
    return y;
  } catch (error) {
    if (error instanceof ConvError) error.message = inLayer(module.name, error.message);
    throw error;
  } finally {
    tape?.leave();
  }
}

const IN_LAYER = "in layer ";

/** The message with the layer's name before it, and before the names of layers within. */
function inLayer(name: string, message: string): string {
  if (name === "") return message;
  return message.startsWith(IN_LAYER)
    ? `${IN_LAYER}${name}.${message.slice(IN_LAYER.length)}`
    : `${IN_LAYER}${name}: ${message}`;
}

/** A module within a network, with its path there: "layer1.0.conv1". */
export interface PlacedModule {
  readonly path: string;
  readonly module: Module;
}

/** A network's modules, itself first, each before those within it. */
export function modulesOf(module: Module, path = ""): PlacedModule[] {
  requireModule("module", module);
  const within = Object.entries(module.children).flatMap(([name, child]) => modulesOf(child, join(path, name)));
  return [{ path, module }, ...within];
}

const join = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

export interface ParametersOptions {
  /** Whether those that are frozen are left out. False when absent. */
  readonly trainable?: boolean;
}
const PARAMETERS_OPTIONS = optionKeys<ParametersOptions>({ trainable: 1 }, { boolean: "trainable" });

/** A network's parameters by path: "layer1.0.conv1.weight". Without those that are frozen, where `trainable` is asked for. */
export function parametersOf(module: Module, options: ParametersOptions = {}): Record<string, Tensor> {
  requireOptions(options, PARAMETERS_OPTIONS);
  const { trainable = false } = options;
  requireBoolean("trainable", trainable);
  const placed = modulesOf(module).filter((one) => !(trainable && one.module.frozen));
  return byPath(placed, (one) => one.parameters);
}

/** A network's parameters and buffers by path, as PyTorch's `state_dict` names them. */
export function stateOf(module: Module): Record<string, Tensor> {
  return byPath(modulesOf(module), allOf);
}

/** Likewise, with all paths of a tensor that several modules share. */
export function namesOf(module: Module): Map<Tensor, string[]> {
  return pathsOf(modulesOf(module), allOf);
}

const allOf = ({ parameters, buffers }: Module): Readonly<Record<string, Tensor>> => ({ ...parameters, ...buffers });

type TensorsOf = (module: Module) => Readonly<Record<string, Tensor>>;

function requireBoolean(name: string, value: unknown): void {
  require(typeof value === "boolean", () => `${name} is ${show(value)}; expected true or false`);
}

/** A tensor that several modules share has the path of the first. */
function byPath(placed: readonly PlacedModule[], tensorsOf: TensorsOf): Record<string, Tensor> {
  return Object.fromEntries([...pathsOf(placed, tensorsOf)].map(([tensor, [path]]) => [path, tensor]));
}

function pathsOf(placed: readonly PlacedModule[], tensorsOf: TensorsOf): Map<Tensor, string[]> {
  const paths = new Map<Tensor, string[]>();
  for (const { path, module } of placed) {
    for (const [name, tensor] of Object.entries(tensorsOf(module))) {
      const own = paths.get(tensor);
      if (own) own.push(join(path, name));
      else paths.set(tensor, [join(path, name)]);
    }
  }
  return paths;
}

/** Has a network compute as it does in training, or as it does afterwards: batch norm and dropout differ. */
export function setTraining(module: Module, training: boolean): void {
  requireBoolean("training", training);
  for (const one of modulesOf(module)) one.module.training = training;
}

/** Takes a network's parameters out of what is learned, or back in: they keep their values, and gradients pass through. */
export function setFrozen(module: Module, frozen: boolean): void {
  requireBoolean("frozen", frozen);
  for (const one of modulesOf(module)) one.module.frozen = frozen;
}

/** Disposes of a network's parameters and buffers. */
export function disposeModule(module: Module): void {
  for (const tensor of Object.values(stateOf(module))) tensor.dispose();
}
