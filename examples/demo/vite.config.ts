import { resolve } from "node:path";
import { defineConfig, type Plugin } from "vite";
import { wgsl } from "../../build/wgslPlugin.js";

const root = resolve(import.meta.dirname, "../..");

/** What the built page may load: its own files, and pictures and video that the visitor gives it. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "media-src blob:",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/** Of the built page alone: the development server puts styles into the page. */
const contentSecurityPolicy: Plugin = {
  name: "webgpu-conv:content-security-policy",
  apply: "build",
  transformIndexHtml: () => [
    {
      tag: "meta",
      attrs: { "http-equiv": "Content-Security-Policy", content: CONTENT_SECURITY_POLICY },
      injectTo: "head-prepend",
    },
  ],
};

/** The page uses the library's sources: nothing needs to be built before it. */
export default defineConfig({
  root: import.meta.dirname,
  // Relative addresses: the built folder works under any path.
  base: "./",
  plugins: [wgsl(root), contentSecurityPolicy],
  resolve: {
    alias: {
      "webgpu-conv/reference": resolve(root, "src/reference/index.ts"),
      "webgpu-conv": resolve(root, "src/index.ts"),
    },
  },
  build: {
    target: "es2022",
    outDir: resolve(root, "out/demo"),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { fs: { allow: [root] } },
});
