/** Objects as lists of their entries. */

/** `Object.entries`, for an object that has only the keys of its type. */
export function entriesOf<Key extends string, Value>(record: Readonly<Partial<Record<Key, Value>>>): [Key, Value][] {
  return Object.entries(record) as [Key, Value][];
}

export const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
