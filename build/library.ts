/** How the library is built: modules for pages and for Node, not minified, which a page's bundler does. */
import type { BuildOptions, Rolldown } from "vite";

/**
 * @param entries source files by the names of what is made of them
 * @param codeSplitting of what is loaded at once; as the bundler thinks best when absent
 */
export function library(
  outDir: string,
  entries: Readonly<Record<string, string>>,
  codeSplitting?: Rolldown.OutputOptions["codeSplitting"],
): BuildOptions {
  // Names without hashes: the package has a version, and a page's bundler adds its own.
  const output: Rolldown.OutputOptions = { chunkFileNames: "[name].js", ...(codeSplitting && { codeSplitting }) };
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
