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
  override readonly name = "DeviceError";
}

/** Throws an {@link ArgumentError} with the message that `explain` gives, unless the rule holds. */
export function require(holds: boolean, explain: () => string): asserts holds {
  if (!holds) throw new ArgumentError(explain());
}

/** Writes a value into an error message: arrays in brackets, text in quotes, at most 80 characters. */
export function show(value: unknown): string {
  let text: string;
  if (Array.isArray(value)) text = `[${value.map(show).join(", ")}]`;
  else if (typeof value === "string") text = JSON.stringify(value);
  else if (typeof value === "object" && value !== null) text = nameOfClass(value);
  else text = String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function nameOfClass(value: object): string {
  const { constructor } = value as { readonly constructor?: { readonly name?: unknown } };
  return typeof constructor?.name === "string" && constructor.name !== "" ? constructor.name : "object";
}
