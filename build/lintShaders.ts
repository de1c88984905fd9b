/**
 * A check of the shaders' text, run by `npm run lint`: long lines, blanks at their ends, tabs, what is declared or imported and
 * never used, and components of shared vectors that are written alone. What compilers find, tests that compile every kernel find.
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { readShaders } from "./wgslPlugin.js";

const LONGEST_LINE = 120;

const withoutComments = (text: string): string => text.replace(/\/\*[^]*?\*\//g, "").replace(/\/\/.*$/gm, "");

const IMPORT = /^import ([\w:]+?)::(\w+|\{[^}]*\});$/gm;

interface Import {
  readonly module: string;
  readonly name: string;
}

function importsOf(code: string): Import[] {
  return [...code.matchAll(IMPORT)].flatMap(([, module, list]) => {
    const names = list.match(/\w+/g) ?? [];
    return names.map((name) => ({ module, name }));
  });
}

/** Names declared at the file's top level, but for entry points: these have attributes on the line before. */
function declarationsOf(code: string): string[] {
  const patterns = [
    /^(?:const|alias|struct) (\w+)/gm,
    /^(?:@\w+\(\d+\) )*var(?:<[^>]*>)? (\w+)/gm,
    /(?<!^@.*\n)^fn (\w+)/gm,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map(([, name]) => name));
}

const moduleOf = (file: string): string => `package::${file.replace(/\.wgsl$/, "").replaceAll("/", "::")}`;

const countUses = (code: string, name: string): number => code.match(new RegExp(`\\b${name}\\b`, "g"))?.length ?? 0;

function layoutFaults(text: string): string[] {
  return text.split("\n").flatMap((line, i) => {
    const at = `line ${String(i + 1)}`;
    return [
      ...(line.length > LONGEST_LINE
        ? [`${at} has ${String(line.length)} characters; at most ${String(LONGEST_LINE)}`]
        : []),
      ...(/[ \t]$/.test(line) ? [`${at} ends with a blank`] : []),
      ...(line.includes("\t") ? [`${at} has a tab`] : []),
    ];
  });
}

const SHARED = /^(?:@\w+\(\d+\) )*var<(?:workgroup|storage, read_write)> (\w+): (?!array<array<)/gm;

/** Names of memory that threads share and write: workgroup memory and results. */
const sharedNames = (code: string): string[] => [...code.matchAll(SHARED)].map(([, name]) => name);

/** Where the bracket that opens at `start` closes, or -1. */
function closingBracket(code: string, start: number): number {
  let depth = 0;
  for (let at = start; at < code.length; at++) {
    if (code[at] === "[") depth++;
    if (code[at] === "]" && --depth === 0) return at;
  }
  return -1;
}

const COMPONENT = /^(?:\.[xyzwrgba]|\[[^;=]*\])\s*(?:[-+*/%&|^]|<<|>>)?=(?!=)/;

/**
 * Shared vectors of which a component is written alone: WGSL lets such a write write the whole vector, so that it races with
 * another thread's write of another component, and Metal and Direct3D do so.
 */
function componentWrites(code: string, names: readonly string[]): string[] {
  return names.filter((name) =>
    [...code.matchAll(new RegExp(`(?<![\\w.])${name}\\b`, "g"))].some(({ index }) => {
      const end = index + name.length;
      const afterElement = code[end] === "[" ? closingBracket(code, end) + 1 : end;
      return COMPONENT.test(code.slice(afterElement)) && !(code[end] !== "[" && code[afterElement] === "[");
    }),
  );
}

/** What is wrong with the shaders, given by path: a line each, with the file's path before it. */
export function lintShaders(shaders: Readonly<Record<string, string>>): string[] {
  const codes = Object.entries(shaders).map(([file, text]) => [file, withoutComments(text)] as const);
  const exported = new Set(
    codes.flatMap(([, code]) => importsOf(code).map(({ module, name }) => `${module}::${name}`)),
  );
  const shared = new Set(
    codes.flatMap(([file, code]) => sharedNames(code).map((name) => `${moduleOf(file)}::${name}`)),
  );
  return codes.flatMap(([file, code]) => {
    const own = code.replace(IMPORT, "");
    const module = moduleOf(file);
    const importedShared = importsOf(code).filter((from) => shared.has(`${from.module}::${from.name}`));
    const unusedImports = importsOf(code).filter(({ name }) => countUses(own, name) === 0);
    const unused = declarationsOf(own).filter(
      (name) => countUses(own, name) === 1 && !exported.has(`${module}::${name}`),
    );
    const faults = [
      ...layoutFaults(shaders[file]),
      ...unusedImports.map(({ name }) => `${name} is imported and not used`),
      ...unused.map((name) => `${name} is declared and not used`),
      ...componentWrites(own, [...sharedNames(own), ...importedShared.map(({ name }) => name)]).map(
        (name) => `${name} is shared by threads, and a component of its vectors is written alone: write whole vectors`,
      ),
    ];
    return faults.map((fault) => `shaders/${file}: ${fault}`);
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const faults = lintShaders(readShaders(resolve(import.meta.dirname, "../shaders")));
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) process.exitCode = 1;
}
