/** The code for pages in the README and its further pages, in a browser: without a bundler, in a worker, and by way of a bundler. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeProject } from "../support/packed.js";
import { type Block, PAGE_BLOCKS, printedLine, TYPED_BLOCKS, WORKER_BLOCKS } from "../support/readme.js";
import { connect } from "./support/demoPage.js";
import { serve, type Served } from "./support/server.js";

let browser: Browser;
let folder = "";
let server: Served;
beforeAll(async () => {
  browser = await connect();
  folder = await makeProject();
  server = await serve(folder, "/");
});
afterAll(async () => {
  await browser.close();
  await server.close();
  rmSync(folder, { recursive: true });
});

/** Another machine's name: over http its pages are no secure contexts. */
const INSECURE = "http://a.test/";

/** Opens a page until it has printed so many lines, or failed; what it printed. */
async function linesOf(html: string, count: number, url = server.url): Promise<string[]> {
  writeFileSync(join(folder, "index.html"), html);
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const printed: string[] = [];
    page.on("console", (message) => printed.push(printedLine(message.text())));
    page.on("pageerror", (error) => printed.push(error.message));
    await page.route(`${INSECURE}**`, async (route) => {
      const { pathname } = new URL(route.request().url());
      await route.fulfill({ path: join(folder, pathname === "/" ? "index.html" : pathname) });
    });
    await page.goto(url);
    await expect.poll(() => printed.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(count);
    return printed;
  } finally {
    await context.close();
  }
}

const asModule = (script: string): string => `<!doctype html><script type="module" src="${script}"></script>`;
const numbered = (blocks: readonly Block[]): (Block & { readonly index: number })[] =>
  blocks.map((block, index) => ({ ...block, index }));

test.each(numbered(PAGE_BLOCKS))("$heading: a page without a bundler ($index)", async ({ code, promised }) => {
  expect(await linesOf(code, promised.length)).toEqual(promised);
});

test.each(numbered(WORKER_BLOCKS))("$heading: a worker ($index)", async ({ code, promised }) => {
  writeFileSync(join(folder, "worker.js"), code);
  const page = `
    const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }) => console.log(data));
    const canvas = document.createElement("canvas").transferControlToOffscreen();
    worker.postMessage(canvas, [canvas]);
  `;
  writeFileSync(join(folder, "page.js"), page);
  expect(await linesOf(asModule("page.js"), promised.length)).toEqual(promised);
});

test("a page that is not secure says so, and how to be", async () => {
  const script =
    'import { createEngine } from "webgpu-conv"; createEngine().catch((error) => console.log(String(error)));';
  const html = PAGE_BLOCKS[0].code.replace(/(<script type="module">).*(<\/script>)/s, `$1${script}$2`);
  const [message] = await linesOf(html, 1, INSECURE);
  expect(message).toMatch(/DeviceError: .*not a secure context.*https, or from localhost/);
});

describe("by way of a bundler", () => {
  test.each(numbered(TYPED_BLOCKS))("$heading ($index)", async ({ code, promised, index }) => {
    const name = `typed${String(index)}`;
    writeFileSync(join(folder, `${name}.ts`), code);
    await build({
      root: folder,
      configFile: false,
      logLevel: "silent",
      build: {
        lib: { entry: join(folder, `${name}.ts`), formats: ["es"], fileName: name },
        outDir: join(folder, "built"),
        emptyOutDir: false,
        target: "es2022",
      },
    });
    expect(readFileSync(join(folder, "built", `${name}.js`), "utf8")).not.toMatch(/^\s*using /m);
    expect(await linesOf(asModule(`built/${name}.js`), promised.length)).toEqual(promised);
  });
});
