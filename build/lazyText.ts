/**
 * Text of kernels that is loaded only where the condition FORMULA holds, since most plans do without: the formulas of
 * activations, which nothing but that condition's branch leads to.
 */
import { elementEnd } from "../src/kernels/specialize.js";
import { splitDeclarations } from "./sharedText.js";

const HEADER = "@if(FORMULA) ";

/** The text without the condition's branches. */
function withoutBranches(code: string): string {
  const at = code.indexOf(HEADER);
  if (at < 0) return code;
  const end = elementEnd(code, at + HEADER.length);
  return withoutBranches(code.slice(0, at) + code.slice(end));
}

const NAME = /(?:\b(?:fn|const|alias|struct)|>) (\w+)/;

/** Whether it is there for its own sake: an entry point, what the host may set, or what has no name, such as `enable`. */
const isRoot = (declaration: string): boolean =>
  /@compute|@vertex|@fragment|\/\/ @specialize/.test(declaration) || !NAME.test(declaration);

/** Declarations of a linked shader: those that every plan needs, and those that it needs where the condition holds. */
function divideText(code: string): { readonly always: string; readonly lazily: string } {
  const declarations = splitDeclarations(code);
  const byName = new Map(declarations.map((declaration) => [NAME.exec(declaration)?.[1] ?? declaration, declaration]));
  const needed = new Set(declarations.filter(isRoot));
  for (const declaration of needed) {
    for (const [word] of withoutBranches(declaration).matchAll(/\w+/g)) {
      const meant = byName.get(word);
      if (meant !== undefined) needed.add(meant);
    }
  }
  const always = declarations.filter((declaration) => needed.has(declaration));
  const lazily = declarations.filter((declaration) => !needed.has(declaration));
  return { always: always.join(""), lazily: lazily.join("") };
}

/** The formulas that kernels have in common; empty where they have none. */
export const findFormulas = (codes: readonly string[]): string =>
  codes
    .map((code) => divideText(code).lazily)
    .reduce((longest, text) => (text.length > longest.length ? text : longest), "");

/** How a kernel needs the formulas: not at all, where the condition holds, or in any case; and its text without them. */
export function withoutFormulas(
  code: string,
  formulas: string,
): { readonly text: string; readonly needs: "never" | "on condition" | "always" } {
  const theirs = new Set(splitDeclarations(formulas));
  const own = splitDeclarations(code);
  const found = own.filter((declaration) => theirs.has(declaration));
  if (formulas === "" || found.length < theirs.size) return { text: code, needs: "never" };
  const text = own.filter((declaration) => !theirs.has(declaration)).join("");
  return { text, needs: divideText(code).lazily === formulas ? "on condition" : "always" };
}
