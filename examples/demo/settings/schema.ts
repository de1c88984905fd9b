/** Settings of a part as data: what each may be, and how it is written into a link. */

/** One setting. Reading never throws: what cannot be read is the initial value. */
export interface Setting<Value> {
  readonly initial: Value;
  parse(this: void, text: string): Value;
  format(this: void, value: Value): string;
}

export type Schema = Readonly<Record<string, Setting<unknown>>>;

export type ValuesOf<S extends Schema> = {
  readonly [Name in keyof S]: S[Name] extends Setting<infer Value> ? Value : never;
};

/** A whole number; one beyond the range becomes the nearest in it. */
export function integer(initial: number, [least, most]: readonly [least: number, most: number]): Setting<number> {
  return {
    initial,
    parse: (text) => (/^-?\d{1,9}$/.test(text) ? Math.min(most, Math.max(least, Number(text))) : initial),
    format: String,
  };
}

/** One of a list of words. */
export function choice<Word extends string>(initial: NoInfer<Word>, words: readonly Word[]): Setting<Word> {
  return {
    initial,
    parse: (text) => words.find((word) => word === text) ?? initial,
    format: (value) => value,
  };
}

/** Yes or no. */
export function flag(initial: boolean): Setting<boolean> {
  return {
    initial,
    parse: (text) => (text === "1" ? true : text === "0" ? false : initial),
    format: (value) => (value ? "1" : "0"),
  };
}

/** Free text of at most so many characters. */
export function text(initial: string, mostCharacters: number): Setting<string> {
  return { initial, parse: (value) => value.slice(0, mostCharacters), format: (value) => value };
}

/** Values that the visitor changed, by index: "3:5,17:-2". */
export type Edits = ReadonlyMap<number, number>;

const EDIT = /^(\d{1,7}):(-?\d{1,7}(?:\.\d{1,20})?)$/;

/** Of an edit: with three, every product of two is exact in the six digits that the page writes of small ones. */
const DECIMALS = 3;

/** A number as an edit can hold it: in its range, and short enough for a link. */
export const toEdit = (value: number, [least, greatest]: readonly [number, number]): number =>
  // Adding 0 takes the sign off a zero.
  Math.min(greatest, Math.max(least, Number(value.toFixed(DECIMALS)))) + 0;

/** At most so many of them, which keeps a link short enough to be passed on. */
export function edits(most: number, range: readonly [least: number, greatest: number]): Setting<Edits> {
  return {
    initial: new Map(),
    parse: (value) => {
      const matches = value.split(",").flatMap((entry) => EDIT.exec(entry) ?? []);
      const pairs = Array.from({ length: Math.floor(matches.length / 3) }, (_, i): [number, number] => {
        return [Number(matches[3 * i + 1]), toEdit(Number(matches[3 * i + 2]), range)];
      });
      return new Map(pairs.slice(0, most));
    },
    format: (value) => [...value].map(([index, edit]) => `${String(index)}:${String(toEdit(edit, range))}`).join(","),
  };
}

/** Every setting at its initial value. */
export function initialValues<S extends Schema>(schema: S): ValuesOf<S> {
  return Object.fromEntries(Object.entries(schema).map(([name, { initial }]) => [name, initial])) as ValuesOf<S>;
}
