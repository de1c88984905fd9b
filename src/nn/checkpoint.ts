/** What a run needs to go on, in one safetensors file: tensors by name, and everything else as JSON in its metadata. */
import type { ByteSource } from "../base/byteReader.js";
import { require, show, textOf } from "../base/errors.js";
import { FileError } from "../base/fileError.js";
import { readSafetensors, writeSafetensors } from "../io/safetensors.js";
import type { SafeTensor } from "../io/safeTensor.js";

/** A run at one moment. */
export interface Checkpoint {
  /** Weights under PyTorch's names, an optimizer's averages, running statistics. */
  readonly tensors: ReadonlyMap<string, SafeTensor>;
  /**
   * The rest, as plain data: the step, which is all of a schedule; a loader's `state`; a random generator's. Texts, finite numbers,
   * booleans, null, lists and objects of these. Numbers keep their bits, except that JSON has no sign of zero.
   */
  readonly state: Readonly<Record<string, unknown>>;
}

/** Keys of the file's metadata. */
const VERSION_KEY = "webgpu-conv.checkpoint";
const STATE_KEY = "webgpu-conv.state";
const VERSION = "1";

/**
 * Writes a checkpoint. The file is a safetensors file, whose tensors PyTorch reads by their names.
 *
 * @throws ArgumentError for tensors as `writeSafetensors`, and for a state that JSON would change, with the place in it
 */
export function writeCheckpoint(checkpoint: Checkpoint): Uint8Array<ArrayBuffer> {
  require(typeof checkpoint === "object" && (checkpoint as unknown) !== null, () =>
    `the checkpoint is ${show(checkpoint)}; expected { tensors, state }`);
  const { tensors, state } = checkpoint;
  require(typeof state === "object" && (state as unknown) !== null && !Array.isArray(state), () =>
    `state is ${show(state)}; expected an object`);
  requirePlain(state, "state", []);
  return writeSafetensors(tensors, { format: "pt", [VERSION_KEY]: VERSION, [STATE_KEY]: JSON.stringify(state) });
}

/**
 * Reads a checkpoint.
 *
 * @param file what messages call the file
 * @throws FileError for what is no safetensors file, one without a run's state, or one of a later version
 */
export async function readCheckpoint(source: ByteSource, file = "checkpoint"): Promise<Checkpoint> {
  const { tensors, metadata } = await readSafetensors(source, file);
  const texts: Readonly<Record<string, string | undefined>> = metadata;
  const [version, text] = [texts[VERSION_KEY], texts[STATE_KEY]];
  const fail = (explanation: string, cause?: unknown): never => {
    throw new FileError(file, 0, explanation, { cause });
  };
  if (version === undefined || text === undefined)
    return fail(`has no ${STATE_KEY} in its metadata; readSafetensors reads files of weights alone`);
  if (version !== VERSION) return fail(`is a checkpoint of version ${show(version)}; expected ${show(VERSION)}`);
  let state: unknown;
  try {
    state = JSON.parse(text);
  } catch (cause) {
    return fail(`${STATE_KEY} in its metadata is no JSON: ${textOf(cause)}`, cause);
  }
  if (typeof state !== "object" || state === null || Array.isArray(state))
    return fail(`${STATE_KEY} in its metadata is ${show(state)}; expected an object`);
  return { tensors, state: state as Checkpoint["state"] };
}

/** Throws where JSON would not give a value back: numbers that are not finite, class instances, what holds itself. */
function requirePlain(value: unknown, place: string, around: readonly unknown[]): void {
  const isObject = typeof value === "object" && value !== null;
  const prototype: unknown = isObject ? Object.getPrototypeOf(value) : undefined;
  const isRecord = isObject && (prototype === Object.prototype || prototype === null) && !("toJSON" in value);
  const isScalar = value === null || typeof value === "boolean" || typeof value === "string" || Number.isFinite(value);
  require(isScalar || isRecord || Array.isArray(value), () =>
    `${place} is ${show(value)}; expected plain data: texts, finite numbers, booleans, null, lists and objects of these`);
  if (!isObject) return;
  require(!around.includes(value), () => `${place} holds itself; expected plain data, which JSON can write`);
  const inside = [...around, value];
  if (Array.isArray(value)) {
    const { length } = Object.keys(value);
    for (let i = 0; i < value.length; i++) requirePlain(value[i], `${place}[${String(i)}]`, inside);
    require(length === value.length, () =>
      `${place} has members beside its elements; expected plain data: a list alone`);
    return;
  }
  for (const [key, member] of Object.entries(value)) {
    if (member !== undefined) requirePlain(member, `${place}.${key}`, inside);
  }
}
