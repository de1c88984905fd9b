/** The package as a user gets it: in plain Node, and in a page with a strict CSP. Its types: packageTypes.test.ts. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build as bundle } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { VERSION } from "webgpu-conv";
import { denoCommand } from "../run/deno.js";
import { makeProject, manifest, ROOT } from "../support/packed.js";

const DIST = join(ROOT, "dist");
/** What a page may carry, minified as bundlers do and compressed: kernels and the engine around them. */
const MOST_GZIP_BYTES = 156 * 1024;

let folder = "";
beforeAll(async () => {
  folder = await makeProject();
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a script in plain Node, in the project; what it prints. */
function runScript(script: string): string {
  writeFileSync(join(folder, "script.js"), script);
  return execFileSync(process.execPath, ["script.js"], { cwd: folder, encoding: "utf8" });
}

/** A script that prints why an entry gives no engine. */
const failing = (entry: string): string => `
  import { createEngine, DeviceError } from "${entry}";
  const error = await createEngine().catch((reason) => reason);
  console.log(error instanceof DeviceError, error.message);
`;

/** The text of an entry and of every chunk that it imports. */
function textsOf(entry: string, seen = new Map<string, string>()): Map<string, string> {
  if (seen.has(entry)) return seen;
  const text = readFileSync(join(DIST, entry), "utf8");
  seen.set(entry, text);
  for (const specifier of specifiersOf(text))
    if (specifier.startsWith("./")) textsOf(join(dirname(entry), specifier), seen);
  return seen;
}

const specifiersOf = (text: string): string[] =>
  [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)"/g)].map(([, specifier]) => specifier);

describe("in plain Node", () => {
  test.each(["webgpu-conv", "webgpu-conv/forward"])("%s imports and convolves on the CPU", (entry) => {
    const printed = runScript(`
      import { createEngine } from "${entry}";
      const engine = await createEngine({ backend: "cpu" });
      const ones = new Float32Array(9).fill(1);
      const y = engine.conv2d(engine.tensor(ones, [1, 1, 3, 3]), engine.tensor(ones, [1, 1, 3, 3]), { padding: 1 });
      console.log([...await y.data()].join());
    `);
    expect(printed.trim()).toBe("4,6,4,6,9,6,4,6,4");
  });

  test.each(["webgpu-conv", "webgpu-conv/forward"])("%s names Node's entry", (entry) => {
    expect(runScript(failing(entry))).toMatch(/^true WebGPU is not available here\. Node .*"webgpu-conv\/node"/);
  });

  test("Node's entry asks for Dawn where it is not installed", () => {
    expect(runScript(failing("webgpu-conv/node"))).toMatch(/^true WebGPU is not available here\. .*npm install webgpu/);
  });

  test("the Node entry has all that the page's has", () => {
    const printed = runScript(`
      import * as page from "webgpu-conv";
      import * as node from "webgpu-conv/node";
      console.log(Object.keys(page).filter((name) => !(name in node)).length, typeof node.createEngine);
      console.log(node.createEngine === page.createEngine, node.Engine === page.Engine);
    `);
    expect(printed).toBe("0 function\nfalse true\n");
  });

  test("the reference computes", () => {
    const printed = runScript(`
      import { forward, makeProblem } from "webgpu-conv/reference";
      console.log(forward(makeProblem(1, [1, 1, 3], [1, 1, 2]), [1, 2, 4], [1, -1]).join());
    `);
    expect(printed.trim()).toBe("-1,-2");
  });
});

describe("in Deno", () => {
  const [runtime, ...parameters] = denoCommand() ?? [];
  test.runIf(runtime)("Node's entry names the page's", () => {
    writeFileSync(join(folder, "script.js"), failing("webgpu-conv/node"));
    const printed = execFileSync(runtime, [...parameters, "script.js"], { cwd: folder, encoding: "utf8" });
    expect(printed).toMatch(/^true WebGPU is not available here\. Deno .*from "webgpu-conv"/);
  });
});

describe("in a page", () => {
  test.each(["index.js", "forward/index.js"])("the entry %s and its chunks import nothing but one another", (entry) => {
    const specifiers = [...textsOf(entry).values()].flatMap(specifiersOf);
    expect(specifiers.filter((specifier) => !specifier.startsWith("./"))).toEqual([]);
  });

  test("so do the reference, io and nn; the Node entry takes only Node's own modules and the optional peer", () => {
    const external = (entry: string): string[] =>
      [...textsOf(entry).values()].flatMap(specifiersOf).filter((specifier) => !specifier.startsWith("./"));
    expect(external("reference.js")).toEqual([]);
    for (const entry of ["io.js", "nn.js"]) expect(external(entry), entry).toEqual([]);
    expect(external("nnNode.js").filter((specifier) => !specifier.startsWith("node:"))).toEqual([]);
    const foreign = external("node.js").filter((specifier) => !specifier.startsWith("node:"));
    expect(new Set(foreign)).toEqual(new Set(["webgpu"]));
  });

  test("the version is the package's", () => expect(VERSION).toBe(manifest.version));

  test("there are no runtime dependencies", () => expect(manifest.dependencies ?? {}).toEqual({}));

  test("nothing is evaluated from text, as a strict content security policy demands", () => {
    for (const [file, text] of [...textsOf("index.js"), ...textsOf("forward/index.js")])
      expect(text, file).not.toMatch(/\beval\s*\(|\bnew Function\b|\bFunction\s*\(/);
  });

  test(`a page that bundles all of it carries less than ${String(MOST_GZIP_BYTES)} bytes`, async () => {
    const bytes = gzipSync(await bundled(join(DIST, "index.js"))).length;
    console.info(`webgpu-conv: ${String(bytes)} bytes minified and compressed`);
    expect(bytes).toBeGreaterThan(8192);
    expect(bytes).toBeLessThan(MOST_GZIP_BYTES);
  });

  test("a bundler takes another file for Node's entry, which names the page's", async () => {
    const script = join(folder, "page.js");
    writeFileSync(script, 'import { createEngine } from "webgpu-conv/node";\nglobalThis.failure = createEngine();\n');
    const outDir = join(folder, "bundled");
    const lib = { entry: script, formats: ["es" as const], fileName: "page" };
    await bundle({ configFile: false, logLevel: "silent", build: { lib, outDir } });
    for (const file of readdirSync(outDir)) {
      expect(readFileSync(join(outDir, file), "utf8"), file).not.toMatch(/node:|VK_DRIVER_FILES/);
    }
    writeFileSync(
      join(folder, "shown.js"),
      'import "./bundled/page.js";\nawait failure.catch(({ message }) => console.log(message));\n',
    );
    expect(execFileSync(process.execPath, ["shown.js"], { cwd: folder, encoding: "utf8" })).toMatch(
      /^This is no Node: import { createEngine } from "webgpu-conv"/,
    );
  });
});

/** A page's script, bundled and minified: a script of its own, since what vite builds as modules keeps its whitespace. */
async function bundled(entry: string): Promise<string> {
  const lib = { entry, formats: ["iife" as const], name: "convolution" };
  const chunks = (await bundle({
    configFile: false,
    logLevel: "silent",
    build: { lib, write: false, minify: true },
  })) as readonly { readonly output: readonly { readonly type: string; readonly code?: string }[] }[];
  return chunks
    .flatMap(({ output }) => output)
    .map(({ code }) => code ?? "")
    .join("\n");
}
