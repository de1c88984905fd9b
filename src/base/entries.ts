/** Objects as lists of their entries. */

/** `Object.entries`, for an object that has no keys but those of its type. */
export function entriesOf<Key extends string, Value>(record: Readonly<Partial<Record<Key, Value>>>): [Key, Value][] {
  return Object.entries(record) as [Key, Value][];
}
