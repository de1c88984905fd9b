/** Builds the demo page once, serves it below a path of its own, and starts the browser that the tests share. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "playwright";
import { build } from "vite";
import type { TestProject } from "vitest/node";
import { chromiumLaunchOptions } from "../../support/chromium.js";
import { serve } from "./server.js";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the page is, with a slash at the end. */
    readonly demoUrl: string;
    /** The folder that it was built to. */
    readonly demoFolder: string;
    /** Where playwright reaches the browser. */
    readonly browserEndpoint: string;
  }
}

/** Not the root: the page must work under any path. */
const PATH = "/some/where/demo/";
/** A camera that shows a moving pattern, and a visitor who lets the page use it. */
const FAKE_CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), "webgpu-conv-demo-"));
  const root = resolve(import.meta.dirname, "../../../examples/demo");
  await build({
    configFile: join(root, "vite.config.ts"),
    logLevel: "warn",
    build: { outDir: folder, emptyOutDir: true },
  });
  const server = await serve(folder, PATH);
  const options = await chromiumLaunchOptions();
  const browser = await chromium.launchServer({ ...options, args: [...options.args, ...FAKE_CAMERA] });
  project.provide("demoUrl", server.url);
  project.provide("demoFolder", folder);
  project.provide("browserEndpoint", browser.wsEndpoint());
  return async () => {
    await browser.close();
    await server.close();
    rmSync(folder, { recursive: true });
  };
}
