/** Options: objects of known keys. An unknown key, such as a misspelt one or another library's, is refused. */
import { ArgumentError, show } from "./errors.js";
import { nearest } from "./spelling.js";

/** The option that a caller means who gives a bare value in place of options, by the value's kind. */
export type BareValues = Readonly<Partial<Record<"number" | "string" | "boolean" | "tensor", string>>>;

/** The options that a call takes. */
export interface OptionKeys {
  readonly names: ReadonlySet<string>;
  readonly bare: BareValues;
}

/** The keys of an interface of options. A list with other keys than the interface does not compile. */
export function optionKeys<Options extends object>(
  keys: Readonly<Record<keyof Options, 1>>,
  bare: BareValues = {},
): OptionKeys {
  return { names: new Set(Object.keys(keys)), bare };
}

/**
 * Throws unless `options` is an object whose enumerable keys, inherited ones included, are all known. A key whose value is
 * undefined counts as absent. An instance of a class is allowed where it has some option; arrays, maps and their like are not.
 *
 * @param what the options are called, in messages
 */
export function requireOptions(options: unknown, known: OptionKeys, what = "options"): asserts options is object {
  if (!isOptions(options, known)) throw new ArgumentError(wrongKind(options, known, what));
  for (const key in options) if (!known.names.has(key)) requireAbsent(options, key, known, what);
}

/** Plain objects, of other realms too; instances of classes only if they have something that could be an option. */
function isOptions(options: unknown, { names }: OptionKeys): options is object {
  if (typeof options !== "object" || options === null) return false;
  const prototype: unknown = Object.getPrototypeOf(options);
  if (prototype === Object.prototype || prototype === null) return true;
  if (Object.prototype.toString.call(options) !== "[object Object]" || isTensor(options)) return false;
  const isPlain = Object.getPrototypeOf(prototype) === null;
  return isPlain || firstKey(options) !== undefined || [...names].some((name) => name in options);
}

/** Enumerable, own or inherited: what {@link requireOptions} looks at. */
function firstKey(options: object): string | undefined {
  for (const key in options) return key;
  return undefined;
}

/** Checked by the class' name: another copy of the library makes tensors too. */
const isTensor = (value: unknown): boolean => show(value) === "Tensor";

function wrongKind(options: unknown, { bare, names }: OptionKeys, what: string): string {
  const option = bare[isTensor(options) ? "tensor" : (typeof options as keyof BareValues)];
  const value = `${what} is ${show(options)}; expected an object`;
  if (option === undefined) return `${value} with any of ${[...names].join(", ")}`;
  if (isTensor(options))
    return `${value}: ${/^[aeiou]/.test(option) ? "an" : "a"} ${option} goes into ${what}: { ${option} }`;
  return `${value}: { ${option}: ${show(options)} }`;
}

function requireAbsent(options: object, key: string, { names }: OptionKeys, what: string): void {
  if ((options as Readonly<Record<string, unknown>>)[key] === undefined) return;
  const shown = /^\w{1,40}$/.test(key) ? key : show(key);
  const unknown = what === "options" ? `unknown option ${shown}` : `unknown key of ${what}, ${shown}`;
  throw new ArgumentError(`${unknown}: ${remedyFor(key, [...names])}`);
}

function remedyFor(key: string, names: readonly string[]): string {
  const isConvolution = names.includes("weightLayout");
  const elsewhere = isConvolution ? WHERE_ELSE.get(key) : undefined;
  if (elsewhere !== undefined) return elsewhere;
  const meant = nearest(key, names);
  if (meant !== undefined) return `did you mean ${meant}?`;
  if (isConvolution && nearest(key, FROM_SHAPES) !== undefined) return "the weight's shape tells it";
  return `expected any of ${names.join(", ")}`;
}

const FORWARD_ONLY = "it belongs to the forward pass";
const PASSES_ONLY = "it belongs to a pass, and not to the problem";
const GRADIENTS_ONLY = "it belongs to the gradients";
const TRANSPOSED_ONLY = "it belongs to transposed convolutions";

/** Options that other calls take. */
const WHERE_ELSE: ReadonlyMap<string, string> = new Map([
  ["bias", FORWARD_ONLY],
  ["residual", FORWARD_ONLY],
  ["output", GRADIENTS_ONLY],
  ["preActivation", GRADIENTS_ONLY],
  ["outputPadding", TRANSPOSED_ONLY],
  ["outputSize", TRANSPOSED_ONLY],
  ["activation", PASSES_ONLY],
  ["solver", PASSES_ONLY],
]);

/** Options of other libraries' layers. */
const FROM_SHAPES: readonly string[] = ["kernel", "inChannels", "outChannels"];
