import { defineConfig } from "vite";
import { library } from "./build/library.js";
import { pureModules } from "./build/pureModules.js";
import { wgsl } from "./build/wgslPlugin.js";

/**
 * The entry for forward passes, built apart: what it loads at once is one file, with nothing in it that only the whole
 * engine needs, whichever bundler a page has. The price is that the two entries share nothing.
 */
export default defineConfig({
  plugins: [wgsl(import.meta.dirname), pureModules()],
  build: library("dist/forward", { index: "src/forward.ts" }, [{ name: "forward", tags: ["$initial"] }]),
});
