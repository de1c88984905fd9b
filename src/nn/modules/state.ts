/** A network's state from and to files: by the names of `stateOf`, which are PyTorch's. */
import { writeValues } from "../../api/newTensors.js";
import { require, show } from "../../base/errors.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { floatTensor, floatValues, requireTensor as requireSafeTensor, type SafeTensor } from "../../io/safeTensor.js";
import { writeSafetensors } from "../../io/safetensors.js";
import { Tensor } from "../../tensor/tensor.js";
import { contextOf, showShape, specOf } from "../core/operation.js";
import { requireNoTape } from "../tape/step.js";
import { type Module, namesOf, stateOf } from "./module.js";

/** Tensors of a file or of an engine, by name: `readSafetensors(...).tensors`, or `stateOf` another network. */
export type StateTensors = ReadonlyMap<string, SafeTensor | Tensor> | Readonly<Record<string, SafeTensor | Tensor>>;

export interface LoadStateOptions {
  /** Whether names must be the network's, all of them and no others. True when absent. */
  readonly strict?: boolean | undefined;
}
const OPTIONS = optionKeys<LoadStateOptions>({ strict: 1 }, { boolean: "strict" });

/** Where names differ. */
export interface StateDifferences {
  /** The network's, which were not given: those tensors keep their values. */
  readonly missing: readonly string[];
  /** Given ones, which are not the network's: they were passed over. */
  readonly unexpected: readonly string[];
}

/** How many steps PyTorch's batch norms have seen. Nothing here follows from it. */
const PASSED_OVER = /(^|\.)num_batches_tracked$/;

/**
 * Gives a network's parameters and buffers the values of others, by name: PyTorch's `load_state_dict`. Values are converted to the
 * types that the network has: float32 exactly, float16, and float64 of files, by rounding to the nearest. PyTorch's `num_batches_tracked` is passed over.
 *
 * ```ts
 * const { tensors } = await readSafetensors(await file.arrayBuffer(), file.name);
 * await loadState(net, tensors);
 * ```
 *
 * @param tensors with the shapes that the network has; F32, F16, BF16 and F64 of files, float32 and float16 of any engine. They stay the
 *   caller's
 * @returns where names differ, with `strict: false`; else nothing does
 * @throws ArgumentError that lists missing and unexpected names and wrong shapes and types, before anything is written; with
 *   `strict: false` for shapes and types alone. Also while a tape records, or a sequence is
 *   recorded; TensorError for tensors that were disposed of.
 */
export async function loadState(
  module: Module,
  tensors: StateTensors,
  options: LoadStateOptions = {},
): Promise<StateDifferences> {
  requireOptions(options, OPTIONS);
  const { strict = true } = options;
  require(typeof strict === "boolean", () => `strict is ${show(strict)}; expected a boolean`);
  const given = entriesOf(tensors);
  const places = namesOf(module);
  const known = new Map([...places].flatMap(([tensor, names]) => names.map((name) => [name, tensor] as const)));
  const missing = [...places.values()].filter((names) => !names.some((name) => given.has(name))).map(([name]) => name);
  const unexpected = [...given.keys()].filter((name) => !known.has(name) && !PASSED_OVER.test(name));
  const pairs = [...given].flatMap(([name, source]) => {
    const target = known.get(name);
    return target ? [{ name, source, target }] : [];
  });
  const wrong = pairs.flatMap(({ source, target, name }) => mismatch(name, source, target));
  if (strict) wrong.unshift(...listed("misses", missing), ...listed("has in excess", unexpected));
  require(wrong.length === 0, () => {
    const remedy = strict && missing.length + unexpected.length > 0 ? "; strict: false goes by the names that fit" : "";
    return `the state does not fit the module: it ${wrong.join("; ")}${remedy}`;
  });
  for (const { name, target } of pairs) requireWritable(name, target);
  // All is read, of one moment, before anything is written.
  const values = await Promise.all(pairs.map(({ source }) => valuesOf(source)));
  for (const { name, target } of pairs) requireWritable(name, target);
  await Promise.all(pairs.map(({ name, target }, i) => write(name, target, values[i])));
  return { missing, unexpected };
}

/**
 * A network's parameters and buffers as a safetensors file, which PyTorch reads by their names: float32 bit for bit, float16 as F16.
 *
 * @param metadata texts by name; what PyTorch's own writers say when absent
 */
export async function saveState(
  module: Module,
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): Promise<Uint8Array<ArrayBuffer>> {
  return writeSafetensors(await readTensors(stateOf(module)), metadata);
}

/**
 * Reads tensors back as files have them, for `writeSafetensors` and `writeCheckpoint`: a network's `stateOf`, say, or the tensors of
 * an optimizer's `state()`. All values are of the moment of the call.
 *
 * @param tensors float32 (F32) or float16 (F16), by name; they stay the caller's
 */
export async function readTensors(tensors: Readonly<Record<string, Tensor>>): Promise<Map<string, SafeTensor>> {
  const reading = Object.entries(tensors).map(async ([name, tensor]): Promise<[string, SafeTensor]> => {
    const { shape, dtype } = specOf(tensor, name);
    return [name, floatTensor(await tensor.data(), shape, dtype === "float16" ? "F16" : "F32")];
  });
  return new Map(await Promise.all(reading));
}

/** Tensors by name. Throws for values that are none, and for tensors that were disposed of. */
function entriesOf(tensors: StateTensors): Map<string, SafeTensor | Tensor> {
  const isGroup = typeof tensors === "object" && (tensors as unknown) !== null && !Tensor.isTensor(tensors);
  require(isGroup, () => `tensors is ${show(tensors)}; expected a map or an object of tensors by name`);
  const entries = tensors instanceof Map ? (tensors as Map<string, SafeTensor | Tensor>) : Object.entries(tensors);
  const given = new Map<string, SafeTensor | Tensor>(entries);
  for (const [name, tensor] of given) {
    if (Tensor.isTensor(tensor)) {
      specOf(tensor, name);
      tensor.storage(contextOf(tensor, name).core, name);
    } else requireSafeTensor(name, tensor);
  }
  return given;
}

/** What keeps a tensor from taking another's values. */
function mismatch(name: string, source: SafeTensor | Tensor, target: Tensor): string[] {
  const isFloat = Tensor.isTensor(source) || ["F32", "F16", "BF16", "F64"].includes(source.dtype);
  const [has, expected] = [showShape(source.shape), showShape(target.shape)];
  return [
    ...(has === expected ? [] : [`has ${show(name)} of shape ${has}, expected ${expected}`]),
    ...(isFloat ? [] : [`has ${show(name)} as ${source.dtype}, expected F32, F16, BF16 or F64`]),
  ];
}

/** How many names a message has. */
const MOST_NAMES = 8;

function listed(what: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const rest = names.length - MOST_NAMES;
  return [`${what} ${names.slice(0, MOST_NAMES).map(show).join(", ")}${rest > 0 ? ` and ${String(rest)} more` : ""}`];
}

function requireWritable(name: string, target: Tensor): void {
  requireNoTape("loadState", target);
  const { core } = contextOf(target, name);
  require(core.operands === undefined, () =>
    "loadState was called while a sequence is recorded; expected it between runs");
  target.storage(core, name);
}

async function write(name: string, target: Tensor, values: Float32Array<ArrayBuffer>): Promise<void> {
  const context = contextOf(target, name);
  await context.core.waits.on(writeValues(context, target, values, {}));
}

const valuesOf = async (source: SafeTensor | Tensor): Promise<Float32Array<ArrayBuffer>> =>
  Tensor.isTensor(source) ? await source.data() : floatValues(source);
