/** In which order modules lie in a file. */
import { readFileSync } from "node:fs";
import { dirname, relative, resolve, sep } from "node:path";
import type { Plugin } from "vite";

const IMPORT = /^(?:import|export) (?!type\b)(?:([^"']*?) from )?"(\.[^"]*)\.js";$/gm;
const isOfTypes = (names = ""): boolean => /^\{\s*(?:type [^,}]*[,\s]*)+\}$/.test(names);

/** The modules that a TypeScript file loads at once, that file last: each behind what it imports. */
export function loadedInOrder(file: string, found = new Set<string>(), entered = new Set<string>()): string[] {
  entered.add(file);
  for (const [, names, path] of readFileSync(file, "utf8").matchAll(IMPORT)) {
    const imported = resolve(dirname(file), `${path}.ts`);
    if (!isOfTypes(names) && !entered.has(imported)) loadedInOrder(imported, found, entered);
  }
  return [...found.add(file)];
}

/** The modules folder by folder, in the order of each folder's first: of a folder its subfolders, and then its own files. */
export function byFolders(root: string, files: readonly string[]): string[] {
  const first = new Map<string, number>();
  const placed = files.map((file, i) => {
    const parts = relative(root, file).split(sep);
    const [place, placeWithin] = [1, 2].map((depth) => {
      if (parts.length <= depth) return files.length;
      const folder = parts.slice(0, depth).join(sep);
      const known = first.get(folder) ?? i;
      first.set(folder, known);
      return known;
    });
    return { file, place, placeWithin };
  });
  placed.sort((a, b) => a.place - b.place || a.placeWithin - b.placeWithin);
  return placed.map(({ file }) => file);
}

/**
 * Vite plugin: an entry imports first what it loads at once, folder by folder, and so it lies in a file. Text compresses best beside
 * its like, and in the order of their own imports the modules of a family of solvers are far from each other.
 *
 * @param root the folder of sources
 */
export function folderByFolder(root: string, entry: string): Plugin {
  return {
    name: "webgpu-conv:folderByFolder",
    apply: "build",
    enforce: "pre",
    transform(code, id) {
      if (id !== entry) return undefined;
      const others = byFolders(root, loadedInOrder(entry)).filter((file) => file !== entry);
      return { code: others.map((file) => `import ${JSON.stringify(file)};`).join(" ") + code, map: null };
    },
  };
}
