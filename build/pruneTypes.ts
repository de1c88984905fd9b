/**
 * Removes the declarations that no entry of the package leads to: those of the engine's inner parts, which speak of
 * shaders and of platform types that a caller's compiler need not know.
 */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import ts from "typescript";

/** The modules that a file names. TypeScript's own list (6.0) lacks those of `export * as name from`. */
function specifiersOf(file: string): string[] {
  const text = readFileSync(file, "utf8");
  const exported = ts.createSourceFile(file, text, ts.ScriptTarget.Latest).statements.flatMap((statement) => {
    const specifier = ts.isExportDeclaration(statement) ? statement.moduleSpecifier : undefined;
    return specifier && ts.isStringLiteral(specifier) ? [specifier.text] : [];
  });
  return [...ts.preProcessFile(text).importedFiles.map(({ fileName }) => fileName), ...exported];
}

/** The declarations that a file leads to, itself among them, by their paths. */
function reachableFrom(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const name of specifiersOf(file)) {
    if (name.startsWith(".")) reachableFrom(join(dirname(file), name.replace(/\.js$/, ".d.ts")), seen);
  }
  return seen;
}

const root = resolve(import.meta.dirname, "..");
const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly exports: Readonly<Record<string, { readonly types: string }>>;
};
const reached = new Set<string>();
for (const { types } of Object.values(exports)) reachableFrom(join(root, types), reached);

const folder = join(root, "dist/types");
for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
  const file = join(folder, name);
  if (file.endsWith(".d.ts") && !reached.has(file)) rmSync(file);
}
