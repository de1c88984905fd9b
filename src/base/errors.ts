/**
 * Errors that this library throws. Each message states the rule that was broken and the values that
 * broke it. Everything derives from {@link ConvError}, so `catch (e) { if (e instanceof ConvError) }`
 * separates them from bugs.
 */

/** Base class of every error thrown on purpose by this library. */
export class ConvError extends Error {
  override readonly name: string = "ConvError";
}

/** An argument breaks a rule: wrong rank, mismatched channels, fractional stride, empty output... */
export class ArgumentError extends ConvError {
  override readonly name = "ArgumentError";
}

/** A tensor cannot be used here: it was disposed, or it belongs to another engine. */
export class TensorError extends ConvError {
  override readonly name = "TensorError";
}

/** A size is legal but exceeds what this device (or its WebGPU limits) can hold. */
export class LimitError extends ConvError {
  override readonly name = "LimitError";
}

/** A solver that the caller named cannot do this problem. */
export class SolverError extends ConvError {
  override readonly name = "SolverError";
}

/** No usable device, a lost device, or an error that the device reported. */
export class DeviceError extends ConvError {
  override readonly name: string = "DeviceError";
}

/** The device was lost, and with it what was waited for, or the values that only it had. */
export class DeviceLostError extends DeviceError {
  override readonly name = "DeviceLostError";
}

/** The work that computes a tensor's values was called off by a `signal` before it was done. `cause` is the signal's reason. */
export class CancelError extends DeviceError {
  override readonly name = "CancelError";
}

/** Throws an {@link ArgumentError} with the message that `explain` gives, unless the rule holds. */
export function require(holds: boolean, explain: () => string): asserts holds {
  if (!holds) throw new ArgumentError(explain());
}

/** The text of what was thrown, an error or any other value. */
export function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return show(thrown);
  }
}

const LONGEST_TEXT = 80;
const DEEPEST_LIST = 4;

/**
 * Writes a value into an error message: arrays in brackets, text in quotes, objects by their class, at most 80 characters.
 * It takes any value of a caller's, even a list that contains itself, and never throws.
 */
export function show(value: unknown): string {
  const text = write(value, 0);
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT - 3)}...` : text;
}

function write(value: unknown, depth: number): string {
  try {
    if (typeof value === "string") return JSON.stringify(value.slice(0, LONGEST_TEXT));
    if (typeof value === "bigint") return `${String(value)}n`;
    if (typeof value === "function") return `function ${value.name}`;
    if (Array.isArray(value)) return writeList(value, depth);
    return typeof value === "object" && value !== null ? nameOfClass(value) : String(value);
  } catch {
    // A getter or a proxy of the caller's.
    return "an object that cannot be shown";
  }
}

function writeList(list: readonly unknown[], depth: number): string {
  if (depth === DEEPEST_LIST) return "[...]";
  let text = "[";
  for (let i = 0; i < list.length && text.length <= LONGEST_TEXT; i++) {
    text += `${i > 0 ? ", " : ""}${write(list[i], depth + 1)}`;
  }
  return `${text}]`;
}

function nameOfClass(value: object): string {
  const { constructor } = value as { readonly constructor?: { readonly name?: unknown } };
  return typeof constructor?.name === "string" && constructor.name !== "" ? constructor.name : "object";
}
