/**
 * Turns a kernel into the text that is compiled: constants get their values, marked branches are decided, marked loops
 * are written out. A file reads as it stands.
 *
 * Loops are written out here and not left to the driver because it pays: WGSL compilers do not unroll, and arrays that are
 * indexed by a loop counter stay in memory on some devices (4 to 8 times slower on SwiftShader, see
 * docs/performance-log.md). Branches marked `// @static` need different types, so that one has to go; lines marked
 * `// @subgroups` are there for lanes to share what they load (SHARED above 1).
 */
import { ConvError } from "../base/errors.js";
import { evaluateInteger, integerConstants } from "./constants.js";
import type { LoadedKernel } from "./kernel.js";

/** Values for a kernel's `// @specialize` constants; absent ones keep the file's value. */
export type ConstantValues = Readonly<Record<string, number | boolean>>;

function literal(type: string, value: number | boolean): string {
  if (type === "bool" || typeof value === "boolean") return String(Boolean(value));
  return type === "u32" ? `${String(value)}u` : String(value);
}

function setConstants(kernel: LoadedKernel, values: ConstantValues): string {
  for (const name of Object.keys(values)) {
    if (!kernel.constants.includes(name)) {
      throw new ConvError(`kernel ${kernel.name} has no constant ${name}; it has ${kernel.constants.join(", ")}`);
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

const STATIC_BRANCH = /if \((\w+)\) \{\s*\/\/ @static\n/;

/** Leaves of each `if (CONSTANT) { // @static ... } else { ... }` the branch that is taken, as a block. */
export function takeBranches(code: string): string {
  const match = STATIC_BRANCH.exec(code);
  if (!match) return code;
  const [header, name] = match;
  const start = match.index + header.length;
  const end = blockEnd(code, start);
  const value = new RegExp(`^const ${name}: bool = (true|false);`, "m").exec(code)?.[1];
  if (value === undefined)
    throw new ConvError(`a shader branch marked @static asks for ${name}, which is no bool constant`);
  const otherwise = /^ else \{[ \n]/.exec(code.slice(end));
  if (!otherwise) throw new ConvError(`a shader branch marked @static asks for ${name} and has no other branch`);
  const otherStart = end + otherwise[0].length;
  const otherEnd = blockEnd(code, otherStart);
  const taken = value === "true" ? code.slice(start, end - 1) : code.slice(otherStart, otherEnd - 1);
  return takeBranches(`${code.slice(0, match.index)}{\n${taken}}${code.slice(otherEnd)}`);
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

/** A kernel without its lines marked `// @subgroups`, which compile only on devices that have subgroups. */
export function withoutSubgroups(code: string): string {
  return code.replace(/^.* \/\/ @subgroups$/gm, "");
}

/** The WGSL text of `kernel` with these constants and types. Throws for a name that the kernel does not have. */
export function specialize(kernel: LoadedKernel, values: ConstantValues, types: AliasTypes = {}): string {
  const set = setAliases(kernel, setConstants(kernel, values), types);
  // Lanes that share nothing need no subgroups.
  const code = "SHARED" in values && Number(values.SHARED) > 1 ? set : withoutSubgroups(set);
  return unrollLoops(takeBranches(code)).replace(/^\s*\/\/.*\n/gm, "");
}
