/**
 * Turns a kernel into the text that is compiled: constants and types get their values, WESL's conditions are decided, marked
 * loops are written out.
 *
 * Loops are written out here and not left to the driver because it pays: WGSL compilers do not unroll, and arrays that are
 * indexed by a loop counter stay in memory on some devices (4 to 8 times slower on SwiftShader, see
 * docs/performance-log.md). Conditions are decided here and not by the linker, since a plan has too many combinations of
 * them to link each; what they leave out would not compile: other types, or subgroups that the device lacks.
 */
import { ConvError } from "../base/errors.js";
import { evaluateInteger, integerConstants } from "./constants.js";
import { type LoadedKernel, settableNames } from "./kernel.js";

/** Values for a kernel's `// @specialize` constants, or else the file's, and for its conditions, or else false. */
export type ConstantValues = Readonly<Record<string, number | boolean>>;

function literal(type: string, value: number | boolean): string {
  if (type === "bool" || typeof value === "boolean") return String(Boolean(value));
  return type === "u32" ? `${String(value)}u` : String(value);
}

function setConstants(kernel: LoadedKernel, values: ConstantValues): string {
  const names = settableNames(kernel);
  for (const name of Object.keys(values)) {
    if (!names.includes(name)) {
      throw new ConvError(`kernel ${kernel.name} has no constant ${name}; it has ${names.join(", ")}`);
    }
  }
  return kernel.code.replace(/^const (\w+): (\w+) = [^;]+; \/\/ @specialize/gm, (line, name: string, type: string) => {
    if (!(name in values)) return line;
    return `const ${name}: ${type} = ${literal(type, values[name])};`;
  });
}

const UNROLLED_LOOP = /for \(var (\w+) = 0u; \1 < ([^;]+); \1\+\+\) \{\s*\/\/ @unroll\n/;

/** Index just past the brace that closes the block whose inside starts at `start`. */
function blockEnd(code: string, start: number): number {
  let depth = 1;
  let at = start;
  while (depth > 0) {
    const brace = /[{}]/g;
    brace.lastIndex = at;
    const match = brace.exec(code);
    if (!match) throw new ConvError("a marked block of a shader has no end");
    depth += match[0] === "{" ? 1 : -1;
    at = match.index + 1;
  }
  return at;
}

const CONDITION = /@if\((\w+)\) /;

/** Index just past the block or the line that starts at `start`. */
export function elementEnd(code: string, start: number): number {
  if (code[start] === "{") return blockEnd(code, start + 1);
  const [line] = /.*/.exec(code.slice(start)) ?? [""];
  if (!/[;,]$/.test(line))
    throw new ConvError(`a condition of a shader is followed by "${line}"; expected a block or a line`);
  return start + line.length;
}

/** Leaves of each `@if(CONDITION) ...`, and of an `@else ...` behind it, the block or line that is to stay. */
export function decideConditions(code: string, isTrue: (condition: string) => boolean): string {
  const match = CONDITION.exec(code);
  if (!match) return code;
  const [header, name] = match;
  const start = match.index + header.length;
  const end = elementEnd(code, start);
  const otherwise = /^\s*@else /.exec(code.slice(end));
  const otherStart = end + (otherwise?.[0].length ?? 0);
  const otherEnd = otherwise ? elementEnd(code, otherStart) : end;
  const taken = isTrue(name) ? code.slice(start, end) : code.slice(otherStart, otherEnd);
  return decideConditions(`${code.slice(0, match.index)}${taken}${code.slice(otherEnd)}`, isTrue);
}

/** Writes out each loop `for (var i = 0u; i < CONSTANT; i++) { // @unroll`, innermost ones included. */
export function unrollLoops(code: string): string {
  const constants = integerConstants(code);
  const expand = (text: string): string => {
    const match = UNROLLED_LOOP.exec(text);
    if (!match) return text;
    const [header, counter, bound] = match;
    const bodyStart = match.index + header.length;
    const end = blockEnd(text, bodyStart);
    const body = expand(text.slice(bodyStart, end - 1));
    const uses = new RegExp(`(?<![.\\w])${counter}\\b`, "g");
    const count = evaluateInteger(bound, constants);
    const copies = Array.from({ length: count }, (_, i) => `{\n${body.replace(uses, `${String(i)}u`)}}\n`);
    return text.slice(0, match.index) + copies.join("") + expand(text.slice(end));
  };
  return expand(code);
}

const HALF_TYPES = new Set(["f16", "vec4h"]);

/** Types that a kernel's `alias ... // @specialize` lines get; absent ones keep the file's. */
export type AliasTypes = Readonly<Record<string, string>>;

function setAliases(kernel: LoadedKernel, code: string, types: AliasTypes): string {
  for (const name of Object.keys(types)) {
    if (!kernel.aliases.includes(name)) throw new ConvError(`kernel ${kernel.name} has no alias ${name}`);
  }
  const set = code.replace(/^alias (\w+) = (\w+); \/\/ @specialize/gm, (_line, name: string, type: string) => {
    return `alias ${name} = ${name in types ? types[name] : type};`;
  });
  return Object.values(types).some((type) => HALF_TYPES.has(type)) ? `enable f16;\n${set}` : set;
}

/** The WGSL text of `kernel` with these constants and types. Throws for a name that the kernel does not have. */
export function specialize(kernel: LoadedKernel, values: ConstantValues, types: AliasTypes = {}): string {
  const set = setAliases(kernel, setConstants(kernel, values), types);
  const decided = decideConditions(set, (condition) => values[condition] === true);
  return unrollLoops(decided).replace(/^\s*\/\/.*\n/gm, "");
}

/**
 * The text without some storage bindings, which with its constants are never touched: variables of one element stand in their place.
 * For devices that bind fewer buffers than the kernel declares.
 */
export const withoutBindings = (code: string, names: readonly string[]): string =>
  names.reduce((text, name) => {
    const declared = new RegExp(`@group\\(0\\) @binding\\(\\d+\\) var<storage[^>]*> ${name}: array<(.+)>;`);
    return text.replace(declared, `var<private> ${name}: array<$1, 1>;`);
  }, code);
