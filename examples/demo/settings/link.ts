/** Links to a part and its settings: `#layer?F=5&S=2`. Only what differs from the initial values is written. */
import { initialValues, type Schema, type ValuesOf } from "./schema.js";

/** What a link can lead to. */
export interface Linkable {
  readonly id: string;
  readonly schema: Schema;
}

export interface Link {
  readonly part: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Which part a link names, by its id alone; the first where it names none. */
export function partOf<P extends Linkable>(hash: string, parts: readonly P[]): P {
  const [id] = hash.replace(/^#/, "").split("?");
  return parts.find((part) => part.id === id) ?? parts[0];
}

/** Settings of a link. Whatever it holds, the result is valid: unknown names and unreadable values are left out. */
export function parseSettings<S extends Schema>(hash: string, schema: S): ValuesOf<S> {
  const start = hash.indexOf("?");
  const given = new URLSearchParams(start < 0 ? "" : hash.slice(start + 1));
  const read = Object.entries(schema).flatMap(([name, setting]): [string, unknown][] => {
    const text = given.get(name);
    return text === null ? [] : [[name, setting.parse(text)]];
  });
  return { ...initialValues(schema), ...Object.fromEntries(read) };
}

/** What `parseSettings` reads back, with the hash sign. */
export function formatLink(id: string, schema: Schema, values: Readonly<Record<string, unknown>>): string {
  const changed = Object.entries(schema).flatMap(([name, setting]): [string, string][] => {
    const text = setting.format(values[name]);
    return text === setting.format(setting.initial) ? [] : [[name, text]];
  });
  // Colons and commas are allowed in a fragment, and easier to read as they are.
  const query = new URLSearchParams(changed).toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  return `#${id}${query === "" ? "" : `?${query}`}`;
}
