/**
 * Text that many kernels have in common, written once: the functions and structs that they import. Linked kernels
 * carry each their own copy, which would make up nearly half of what a page loads that runs several.
 */

/**
 * Kernels that must have a declaration for it to be shared. What fewer have stays in each of them: a page that runs one
 * kernel loads all that is shared.
 */
const MANY = 3;

/** Declarations of a linked shader, in order; joined they are the shader again. */
export function splitDeclarations(code: string): readonly string[] {
  const declarations: string[] = [];
  let current = "";
  let depth = 0;
  for (const line of code.split(/(?<=\n)/)) {
    current += line;
    for (const character of line) depth += character === "{" ? 1 : character === "}" ? -1 : 0;
    if (depth > 0 || !/[;}]\s*(\/\/.*)?\n$/.test(line)) continue;
    declarations.push(current);
    current = "";
  }
  return current === "" ? declarations : [...declarations, current];
}

/** Declarations that many of the shaders have, and the names under which they are exported. */
export function nameShared(codes: readonly string[], many = MANY): ReadonlyMap<string, string> {
  const counts = new Map<string, number>();
  for (const code of codes) {
    for (const declaration of new Set(splitDeclarations(code))) {
      counts.set(declaration, (counts.get(declaration) ?? 0) + 1);
    }
  }
  const shared = [...counts].filter(([, count]) => count >= many).map(([declaration]) => declaration);
  return new Map(shared.map((declaration, i) => [declaration, `shared${String(i)}`]));
}

/** The module that exports them. */
export const sharedModule = (shared: ReadonlyMap<string, string>): string =>
  [...shared].map(([declaration, name]) => `export const ${name} = ${JSON.stringify(declaration)};\n`).join("");

/** An expression for a shader's text, and the names in it that must be imported. */
export function referToShared(
  code: string,
  shared: ReadonlyMap<string, string>,
): { readonly expression: string; readonly names: readonly string[] } {
  const names = new Set<string>();
  const terms: string[] = [];
  let own = "";
  const flush = (): void => {
    if (own !== "") terms.push(JSON.stringify(own));
    own = "";
  };
  for (const declaration of splitDeclarations(code)) {
    const name = shared.get(declaration);
    if (name === undefined) {
      own += declaration;
    } else {
      flush();
      names.add(name);
      terms.push(name);
    }
  }
  flush();
  return { expression: terms.join(" + "), names: [...names] };
}
