/** How the library is built: modules for pages and for Node, not minified, which a page's bundler does. */
import { resolve } from "node:path";
import type { BuildOptions, Plugin, Rolldown } from "vite";
import { KERNEL_FILES } from "./kernelFiles.js";

/**
 * @param entries source files by the names of what is made of them
 * @param groups files of what is loaded at once
 */
export function library(
  outDir: string,
  entries: Readonly<Record<string, string>>,
  groups: readonly Rolldown.CodeSplittingGroup[],
): BuildOptions {
  // Names without hashes: the package has a version, and a page's bundler adds its own.
  const output: Rolldown.OutputOptions = {
    chunkFileNames: "[name].js",
    codeSplitting: { groups: [...KERNEL_FILES, ...groups] },
  };
  return {
    target: "es2022",
    outDir,
    minify: false,
    sourcemap: true,
    lib: { entry: { ...entries }, formats: ["es"] },
    // Linking the shaders takes most of a build, and it says so each time otherwise.
    rolldownOptions: { external: [/^node:/, "webgpu"], output, checks: { bundlerTimings: false } },
  };
}

/** Of the groups of files that entries load at once: below those of kernels, above those of what is late. */
const FEW_FILES_PRIORITY = 50;

/** The modules that others load at once, these among them. */
function loadedBy(roots: readonly string[], modules: Rolldown.ChunkingContext): Set<string> {
  const loaded = new Set(roots);
  for (const module of loaded)
    for (const imported of modules.getModuleInfo(module)?.importedIds ?? []) loaded.add(imported);
  return loaded;
}

/**
 * Puts what an entry loads at once into few files, for these compress best. Bundlers keep all of a file that something late
 * may import, though; so what pages load that do without the entry is apart.
 *
 * @param apart modules by the names of the files: what these load, too, and nothing before them in the list
 */
export function inFewFiles(
  entry: string,
  name: string,
  apart: Readonly<Record<string, readonly string[]>>,
): readonly Rolldown.CodeSplittingGroup[] {
  const files = Object.entries(apart);
  let own: ReadonlySet<string> | undefined;
  return [...files, [name, [entry]] as const].map(([file, roots], i) => {
    let loaded: ReadonlySet<string> | undefined;
    const fileOf: Rolldown.CodeSplittingNameFunction = (id, modules) => {
      own ??= loadedBy([entry], modules);
      loaded ??= loadedBy(roots, modules);
      return own.has(id) && loaded.has(id) ? file : undefined;
    };
    return { name: fileOf, priority: FEW_FILES_PRIORITY + files.length - i };
  });
}

/**
 * Puts what is loaded late into files of its own: a bundler that meets it in a file with others could load no less than that file.
 *
 * @param files modules, as paths from a folder, by the names of files. A file has what these load, too, but for what is in those before it
 */
export function inFilesOf(
  folder: string,
  files: Readonly<Record<string, readonly string[]>>,
): readonly Rolldown.CodeSplittingGroup[] {
  return Object.entries(files).map(([file, paths], i, { length }) => {
    let loaded: ReadonlySet<string> | undefined;
    const fileOf: Rolldown.CodeSplittingNameFunction = (id, modules) => {
      loaded ??= loadedBy(
        paths.map((path) => resolve(folder, `${path}.ts`)),
        modules,
      );
      return loaded.has(id) ? file : undefined;
    };
    return { name: fileOf, priority: length - i };
  });
}

/**
 * Vite plugin: a namespace that an entry exports (`export * as name from module`) stays another file's namespace, the entry
 * `file`. Written out, as bundlers do, it would be an object, and a page that uses one of its members would carry all.
 */
export function namespaceFile(module: string, file: string): Plugin {
  return {
    name: "webgpu-conv:namespaceFile",
    apply: "build",
    enforce: "pre",
    async resolveId(source, importer, options) {
      if (!importer || !source.startsWith(".")) return undefined;
      const resolved = await this.resolve(source, importer, { ...options, skipSelf: true });
      return resolved?.id === module ? { id: `./${file}`, external: "relative" } : undefined;
    },
  };
}
