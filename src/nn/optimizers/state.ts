/** What an optimizer keeps, as tensors by name: for checkpoints. */
import { memoryOf } from "../../backend/backend.js";
import { require, show } from "../../base/errors.js";
import { requireTensor, type Tensor } from "../../tensor/tensor.js";
import { contextOf, requireDType, showShape } from "../core/operation.js";
import type { Bank } from "./banks.js";
import { PROGRESS } from "./rule.js";
import { type Part, readSlices, writeSlices } from "./slices.js";

export interface OptimizerState {
  readonly name: "sgd" | "adam" | "adamw";
  readonly lr: number;
  readonly gradientScale: number;
  /**
   * In float32: `steps` and `skipped`, of shape [1]; of each parameter what the optimizer keeps, in the parameter's shape, as
   * "conv1.weight.momentumBuffer", "conv1.weight.expAvg", "conv1.weight.expAvgSq", "conv1.weight.maxExpAvgSq", and
   * "conv1.weight.master" of one in float16.
   */
  readonly tensors: Readonly<Record<string, Tensor>>;
}

/** A tensor of the state: its name, and its shape. Those of a tensor of the optimizer's lie one after the other. */
interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly size: number;
}

/** Fields of the progress that are kept: the others follow from them with the next step. */
const COUNTS: readonly Entry[] = PROGRESS.slice(0, 2).map((name) => ({ name, shape: [1], size: 1 }));

const entriesOf = ({ parameters, sections }: Bank): Entry[] =>
  parameters.flatMap(({ name, shape, size }) =>
    sections.map((section) => ({ name: `${name}.${section}`, shape, size })),
  );

/** The tensors of an optimizer with what each of them has. */
function wholes(progress: Tensor, states: readonly Tensor[], banks: readonly Bank[]): [Tensor, readonly Entry[]][] {
  const all = banks.map((bank, i): [Tensor, readonly Entry[]] => [states[i], entriesOf(bank)]);
  return [[progress, COUNTS], ...all.filter(([{ size }]) => size > 0)];
}

export function stateOf(progress: Tensor, states: readonly Tensor[], banks: readonly Bank[]): Record<string, Tensor> {
  const tensors = wholes(progress, states, banks).flatMap(([whole, entries]) => {
    let end = 0;
    const places = entries.map(({ shape, size }) => ({ shape, place: (end += size) - size }));
    return readSlices(whole, places).map((tensor, i) => [entries[i].name, tensor] as const);
  });
  return Object.fromEntries(tensors);
}

/** Checks a state. Calling what it returns writes it to the optimizer's tensors. */
export function readState(
  { tensors }: OptimizerState,
  progress: Tensor,
  states: readonly Tensor[],
  banks: readonly Bank[],
): () => void {
  require(typeof tensors === "object" && (tensors as unknown) !== null, () => {
    return `state.tensors is ${show(tensors)}; expected tensors by name, as state() gives them`;
  });
  const given = new Map(Object.entries(tensors));
  const { core } = contextOf(progress, "progress");
  const own = new Set([progress, ...states].map((tensor) => memoryOf(tensor.storage(core, "the optimizer's state"))));
  const writes = wholes(progress, states, banks).map(([whole, entries]) => {
    let place = 0;
    const parts = entries.map(({ name, shape, size }): Part => {
      const tensor = given.get(name);
      const full = `state.tensors["${name}"]`;
      require(tensor !== undefined, () =>
        `${full} is missing; expected what state() gave of an optimizer over the same parameters`);
      requireTensor(full, tensor);
      require(showShape(tensor.shape) === showShape(shape), () => {
        return `${full} has shape ${showShape(tensor.shape)}; expected ${showShape(shape)}`;
      });
      requireDType(full, tensor, "float32", "state() gives it");
      require(!own.has(memoryOf(tensor.storage(core, full))), () =>
        `${full} is the optimizer's own memory; expected a copy of it, as state() gives`);
      given.delete(name);
      place += size;
      return { tensor, place: place - size };
    });
    return () => writeSlices(whole, parts);
  });
  const [unknown] = given.keys();
  require(given.size === 0, () => `state.tensors["${unknown}"] is of no parameter of this optimizer`);
  return () => {
    for (const write of writes) write();
  };
}
