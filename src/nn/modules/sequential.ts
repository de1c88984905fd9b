/** Modules one after the other. */
import { require, show } from "../../base/errors.js";
import type { Tensor } from "../../tensor/tensor.js";
import { layerTapeOf } from "../tape/step.js";
import { defineModule, type Module, runAs } from "./module.js";

/**
 * Modules one after the other, in a list ("0", "1", ... by name) or by name. What passes between two of them gives its memory back
 * as soon as nothing needs it any more. Neighbours run in one pass where they can: an activation with what is before it, and, in
 * evaluation, a batch norm with the convolution before it (`convNorm`).
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
      for (let i = 0; i < list.length;) {
        const [result, count] = runNext(list.slice(i), current);
        // The network's own input stays.
        if (current !== x && current !== result) current.dispose();
        current = result;
        i += count;
      }
      return current;
    },
  });
}

/**
 * Runs the first of some modules, and those behind it that take no pass of their own then.
 *
 * @returns the result, and how many ran
 */
function runNext(modules: readonly Module[], x: Tensor): readonly [result: Tensor, count: number] {
  const [first, second] = modules;
  const behind = first.fusion?.convolution && (second as Module | undefined)?.fusion?.runBehind;
  const count = behind ? 2 : 1;
  const last = modules[count - 1];
  const { run } = last.fusion ?? {};
  const next = modules.at(count);
  const activation = run && next?.fusion?.isActivation;
  const tail = activation === undefined ? {} : { activation };
  let y: Tensor;
  if (behind) y = behind(first, x, tail, second);
  else y = run && activation !== undefined ? runAs(first, x, () => run(x, tail, first)) : first.forward(x);
  if (activation === undefined || !next) return [y, count];
  layerTapeOf(y)?.absorb?.(next, y);
  return [y, count + 1];
}
