/** What a model's JSON may hold, told apart before it is used. */
import { show } from "../../base/errors.js";
import { FileError } from "../../base/fileError.js";

export type Json = Readonly<Record<string, unknown>>;

export const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
export const isText = (value: unknown): value is string => typeof value === "string";
export const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
export const isBoolean = (value: unknown): value is boolean => typeof value === "boolean";
const isExtent = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
export const isIntegers = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(isExtent);

/** Where in a file something is, for messages. */
export class Place {
  readonly #file: string;
  readonly #what: readonly string[];

  constructor(file: string, what: readonly string[] = []) {
    this.#file = file;
    this.#what = what;
  }

  within(what: string): Place {
    return new Place(this.#file, [...this.#what, what]);
  }

  /** Text without places of its own, such as JSON's, is wrong from its beginning. */
  error(explanation: string): FileError {
    return new FileError(this.#file, 0, [...this.#what, explanation].join(" "));
  }
}

/** What each test expects, in words. */
const EXPECTED = new Map<unknown, string>([
  [isRecord, "an object"],
  [isText, "a text"],
  [isNumber, "a number"],
  [isBoolean, "true or false"],
  [isIntegers, "a list of whole numbers from 0 on"],
]);

type Test<Value> = (value: unknown) => value is Value;

/** A field of that kind; `fallback` where it is absent. */
export function fieldOf<Value>(record: Json, name: string, test: Test<Value>, place: Place, fallback?: Value): Value {
  const value = Object.hasOwn(record, name) ? record[name] : undefined;
  if (value === undefined && fallback !== undefined) return fallback;
  if (!test(value)) throw place.error(`has ${name} ${show(value)}; expected ${EXPECTED.get(test) ?? "another kind"}`);
  return value;
}

/** A field that is a list of that kind. */
export function listField<Value>(record: Json, name: string, test: Test<Value>, place: Place): readonly Value[] {
  const value = Object.hasOwn(record, name) ? record[name] : undefined;
  if (!Array.isArray(value)) throw place.error(`has ${name} ${show(value)}; expected a list`);
  return (value as unknown[]).map((one) => {
    if (!test(one))
      throw place.error(`has ${show(one)} among ${name}; expected ${EXPECTED.get(test) ?? "another kind"}`);
    return one;
  });
}
