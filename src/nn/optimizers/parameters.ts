/** Parameters of an optimizer and the gradients that belong to them, by name. */
import { require, show } from "../../base/errors.js";
import { nearest } from "../../base/spelling.js";
import { memoryOf, type TensorStorage } from "../../backend/backend.js";
import { requireTensor, Tensor, type TensorOwner } from "../../tensor/tensor.js";
import { overlap, requireDType, showShape, specOf } from "../core/operation.js";
import type { Tensors } from "../tape/tape.js";

/** Tensors in a list or by name, by name; that of a list is the index. Throws where there are none. */
export function namedTensors(what: string, tensors: Tensors): [string, Tensor][] {
  const isGroup = typeof tensors === "object" && (tensors as unknown) !== null && !Tensor.isTensor(tensors);
  require(isGroup, () => `${what} is ${show(tensors)}; expected tensors in a list or by name`);
  const entries = Object.entries(tensors);
  require(entries.length > 0, () => `${what} is empty; expected at least one tensor`);
  for (const [name, tensor] of entries) {
    const full = `${what}.${name}`;
    requireTensor(full, tensor);
    specOf(tensor, full);
    require(tensor.size > 0, () =>
      `${full} has shape ${showShape(tensor.shape)}, without elements; expected at least one`);
  }
  return entries;
}

/**
 * The memory of tensors of an engine, with the first one's name. Throws where two have elements in common: what changes in place would
 * change twice.
 */
export function requireApart(
  core: TensorOwner,
  what: string,
  entries: readonly (readonly [string, Tensor])[],
): Map<TensorStorage, string> {
  const known = new Map<TensorStorage, (readonly [string, TensorStorage])[]>();
  for (const [name, tensor] of entries) {
    const storage = tensor.storage(core, `${what}.${name}`);
    const others = known.get(memoryOf(storage)) ?? [];
    const before = others.find(([, other]) => overlap(storage, other))?.[0];
    require(before === undefined, () => {
      return `${what}.${name} and ${what}.${String(before)} share their memory; expected each tensor once`;
    });
    known.set(memoryOf(storage), [...others, [name, storage]]);
  }
  return new Map([...known].map(([memory, [[name]]]) => [memory, name]));
}

/** Which of the names these stand for: names themselves, or what is before a dot in them. Throws for one that is neither. */
export function selectNames(option: string, given: readonly string[], names: readonly string[]): ReadonlySet<string> {
  const selected = new Set<string>();
  for (const one of given) {
    const meant = names.filter((name) => name === one || name.startsWith(`${one}.`));
    require(meant.length > 0, () => {
      const close = typeof one === "string" ? nearest(one, names) : undefined;
      const remedy = close === undefined ? `expected any of ${names.join(", ")}` : `did you mean ${close}?`;
      return `${option} has ${show(one)}, and no parameter is called so; ${remedy}`;
    });
    for (const name of meant) selected.add(name);
  }
  return selected;
}

/**
 * The gradients of parameters, in their order, with what the caller calls each. In a list of as many they are in that order; else
 * they go by name, and those of other names are refused, unless `ignored` has them.
 *
 * @throws ArgumentError for one that is missing, or of another shape or type than its parameter.
 */
export function gradientsOf(
  parameters: ReadonlyMap<string, Tensor>,
  gradients: Tensors,
  ignored: ReadonlySet<string>,
): [full: string, gradient: Tensor][] {
  const entries = namedTensors("gradients", gradients);
  const isInOrder = Array.isArray(gradients) && entries.length === parameters.size;
  const given = new Map(entries);
  const unknown = isInOrder ? undefined : entries.find(([name]) => !parameters.has(name) && !ignored.has(name))?.[0];
  require(unknown === undefined, () => {
    return `gradients.${String(unknown)} is of no parameter; expected those of ${[...parameters.keys()].join(", ")}`;
  });
  return [...parameters].map(([parameterName, parameter], i) => {
    const name = isInOrder ? entries[i][0] : parameterName;
    const gradient = given.get(name);
    require(gradient !== undefined, () => {
      return `gradients.${name} is missing; expected one for each parameter, or ${show(name)} among frozen`;
    });
    const full = `gradients.${name}`;
    requireLike(full, gradient, parameter, isInOrder ? `parameters.${parameterName}` : "its parameter");
    return [full, gradient];
  });
}

/** Throws unless a tensor has the shape and the element type of another. */
export function requireLike(name: string, tensor: Tensor, like: Tensor, what: string): void {
  require(showShape(tensor.shape) === showShape(like.shape), () => {
    return `${name} has shape ${showShape(tensor.shape)}; expected ${showShape(like.shape)}, as ${what} has`;
  });
  if (like.dtype !== "rgba8unorm") requireDType(name, tensor, like.dtype, what);
}
