/**
 * Text that many kernels have in common, written once: the functions and structs that they import. Linked kernels
 * carry each their own copy, which would make up a third of what a page loads that runs several.
 */

/**
 * Kernels that must have a declaration for it to be shared. What fewer have stays in each of them: a page that runs one
 * kernel loads all that is shared. With fewer kernels such a page would load text for nothing; with more, one that runs
 * several would load text twice.
 */
const MANY = 8;

/** Declarations of a linked shader, in order; joined they are the shader again. */
export function splitDeclarations(code: string): readonly string[] {
  const declarations: string[] = [];
  let current = "";
  let depth = 0;
  for (const line of code.split(/(?<=\n)/)) {
    // A condition's other branch belongs to it.
    if (current === "" && line.startsWith("@else")) current = declarations.pop() ?? "";
    current += line;
    for (const character of line) depth += character === "{" ? 1 : character === "}" ? -1 : 0;
    if (depth > 0 || !/[;}]\s*(\/\/.*)?\n$/.test(line)) continue;
    declarations.push(current);
    current = "";
  }
  return current === "" ? declarations : [...declarations, current];
}

/** Text that many shaders have: declarations by the names of the groups that they are exported in. */
export type SharedText = ReadonlyMap<string, string>;

/**
 * Groups the declarations that many of the shaders have: those of the same shaders are one.
 *
 * @param counts whether the shader at an index is one of the many; others only use what these share
 */
export function groupShared(
  codes: readonly string[],
  many = MANY,
  counts: (index: number) => boolean = () => true,
): SharedText {
  const users = new Map<string, number[]>();
  codes.forEach((code, user) => {
    for (const declaration of new Set(splitDeclarations(code))) {
      users.set(declaration, [...(users.get(declaration) ?? []), user]);
    }
  });
  const groups = new Map<string, string>();
  const shared = [...users].filter(([, by]) => by.filter(counts).length >= many);
  return new Map(
    shared.map(([declaration, by]) => {
      const key = by.join();
      const name = groups.get(key) ?? `shared${String(groups.size)}`;
      groups.set(key, name);
      return [declaration, name];
    }),
  );
}

/** The module that exports them. */
export function sharedModule(shared: SharedText): string {
  const texts = new Map<string, string>();
  for (const [declaration, name] of shared) texts.set(name, (texts.get(name) ?? "") + declaration);
  return [...texts].map(([name, text]) => `export const ${name} = ${JSON.stringify(text)};\n`).join("");
}

/** An expression for a shader's text, its own declarations first, and the names in it that must be imported. */
export function referToShared(
  code: string,
  shared: SharedText,
): { readonly expression: string; readonly names: readonly string[] } {
  const declarations = splitDeclarations(code);
  const own = declarations.filter((declaration) => !shared.has(declaration)).join("");
  const names = [...new Set(declarations.flatMap((declaration) => shared.get(declaration) ?? []))];
  return { expression: [JSON.stringify(own), ...names].join(" + "), names };
}
