/** Numbers of a caller's, checked. */
import { require, show } from "./errors.js";

/** Whether this is an integer from 0 on, below a limit. */
export const isBelow = (value: unknown, limit: number): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < limit;

/** Throws unless a number is finite. */
export function requireFinite(name: string, value: number): void {
  require(Number.isFinite(value), () => `${name} is ${show(value)}; expected a finite number`);
}

/** Throws unless a number is finite and at least 0. */
export function requireNumber(name: string, value: number): void {
  require(Number.isFinite(value) && value >= 0, () => `${name} is ${show(value)}; expected a number from 0 on`);
}

/** Throws unless a number is finite and above 0. */
export function requireLimit(name: string, value: number): void {
  require(Number.isFinite(value) && value > 0, () => `${name} is ${show(value)}; expected a number above 0`);
}
