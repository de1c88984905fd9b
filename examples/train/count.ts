/** An option's value that counts something, for commander. */
import { InvalidArgumentError } from "commander";

export function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("expected an integer of at least 1");
  return value;
}
