/** Modules one after the other. */
import { require, show } from "../../base/errors.js";
import type { Tensor } from "../../tensor/tensor.js";
import { defineModule, type Module } from "./module.js";

/**
 * Modules one after the other, in a list ("0", "1", ... by name) or by name. What passes between two of them gives its memory back
 * as soon as nothing needs it any more.
 */
export function sequential(modules: readonly Module[] | Readonly<Record<string, Module>>): Module {
  const isList = typeof (modules as unknown) === "object" && (modules as unknown) !== null && !("forward" in modules);
  const children = isList
    ? Object.fromEntries(Object.entries<Module>(modules as Readonly<Record<string, Module>>))
    : {};
  const list = Object.values(children);
  require(list.length > 0, () => `modules is ${show(modules)}; expected modules in a list or by name, at least one`);
  return defineModule({
    kind: "sequential",
    children,
    forward(x) {
      let current = x;
      for (const one of list) current = passOn(one, current, x);
      return current;
    },
  });
}

/** The module's result; what it was given goes, but for the network's own input. */
function passOn(module: Module, given: Tensor, input: Tensor): Tensor {
  const result = module.forward(given);
  if (given !== input && given !== result) given.dispose();
  return result;
}
