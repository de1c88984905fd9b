/** The package as a user gets it: `dist/` in plain Node, in a strict TypeScript project, and in a page with a strict CSP. */
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { build as bundle } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { VERSION } from "webgpu-conv";

const ROOT = resolve(import.meta.dirname, "../..");
const DIST = join(ROOT, "dist");
/** What a page may carry, minified as bundlers do and compressed: kernels and the engine around them. */
const MOST_GZIP_BYTES = 60 * 1024;

interface Manifest {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>;
}
const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Manifest;

/** Time of the latest change of any file below the paths. */
function latestChange(paths: readonly string[]): number {
  const files = paths.flatMap((path) => {
    if (!statSync(path).isDirectory()) return [path];
    return readdirSync(path, { recursive: true, encoding: "utf8" }).map((file) => join(path, file));
  });
  return Math.max(...files.filter((file) => statSync(file).isFile()).map((file) => statSync(file).mtimeMs));
}

/** Whether dist/ is missing, incomplete or older than what it is made from. */
function isStale(): boolean {
  const sources = ["src", "shaders", "build", "package.json", "vite.config.ts", "tsconfig.build.json"];
  const built = Object.values(manifest.exports).flatMap((entry) => [entry.types, entry.default]);
  const times = built.map((file) => statSync(join(ROOT, file), { throwIfNoEntry: false })?.mtimeMs ?? -Infinity);
  return Math.min(...times) < latestChange(sources.map((path) => join(ROOT, path)));
}

let folder = "";

/** A project of its own, with the package in node_modules as a link. */
beforeAll(() => {
  if (isStale()) execFileSync("npm", ["run", "--silent", "build"], { cwd: ROOT, stdio: "pipe" });
  folder = mkdtempSync(join(tmpdir(), "webgpu-conv-package-"));
  mkdirSync(join(folder, "node_modules/@webgpu"), { recursive: true });
  symlinkSync(ROOT, join(folder, "node_modules/webgpu-conv"), "dir");
  symlinkSync(join(ROOT, "node_modules/@webgpu/types"), join(folder, "node_modules/@webgpu/types"), "dir");
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
});

afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a script in plain Node, in the project; what it prints. */
function runScript(script: string): string {
  writeFileSync(join(folder, "script.js"), script);
  return execFileSync(process.execPath, ["script.js"], { cwd: folder, encoding: "utf8" });
}

/** The text of an entry and of every chunk that it imports. */
function textsOf(entry: string, seen = new Map<string, string>()): Map<string, string> {
  if (seen.has(entry)) return seen;
  const text = readFileSync(join(DIST, entry), "utf8");
  seen.set(entry, text);
  for (const specifier of specifiersOf(text)) if (specifier.startsWith("./")) textsOf(specifier.slice(2), seen);
  return seen;
}

const specifiersOf = (text: string): string[] =>
  [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)"/g)].map(([, specifier]) => specifier);

describe("in plain Node", () => {
  test("the page's entry imports and convolves on the CPU", () => {
    const printed = runScript(`
      import { createEngine } from "webgpu-conv";
      const engine = await createEngine({ backend: "cpu" });
      const ones = new Float32Array(9).fill(1);
      const y = engine.conv2d(engine.tensor(ones, [1, 1, 3, 3]), engine.tensor(ones, [1, 1, 3, 3]), { padding: 1 });
      console.log([...await y.data()].join());
    `);
    expect(printed.trim()).toBe("4,6,4,6,9,6,4,6,4");
  });

  test("the page's entry says what is missing where there is no WebGPU", () => {
    const printed = runScript(`
      import { createEngine, DeviceError } from "webgpu-conv";
      const error = await createEngine().catch((reason) => reason);
      console.log(error instanceof DeviceError, error.message);
    `);
    expect(printed).toMatch(/^true WebGPU is not available here: /);
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

describe("the type declarations stand on their own", () => {
  const consumer = `
import { createEngine, outputSize, type ConvOptions, type Engine, type Explanation, type Tensor } from "webgpu-conv";
import { createEngine as createInNode, type NodeEngineOptions } from "webgpu-conv/node";
import { compare, type ConvProblem, errorBound, forward, makeProblem } from "webgpu-conv/reference";

const options: ConvOptions = { stride: 2, padding: [[1, 0], [1, 0]], activation: "relu" };
export async function layer(device: GPUDevice, data: Float32Array): Promise<Float32Array> {
  using engine: Engine = await createEngine({ device });
  using x: Tensor = engine.tensor(data, [1, 1, 4, 4]);
  using y = engine.conv2d(x, x, { ...options, bias: x });
  const explanation: Explanation = engine.explain("conv2d", { input: x.shape, weight: x.shape }, options);
  const workgroups: number = explanation.dispatches[0].workgroups[0] + outputSize(4, { kernel: 4 });
  // @ts-expect-error: a wrong name is found
  engine.conv2d(x, x, { strides: workgroups });
  return await y.data();
}
const nodeOptions: NodeEngineOptions = { dawnOptions: ["backend=vulkan"] };
export const inNode: Promise<Engine> = createInNode(nodeOptions);
const problem: ConvProblem = makeProblem(2, [1, 1, 4, 4], [1, 1, 2, 2], options);
export const pass: boolean = compare([1], forward(problem, [1], [1]), errorBound(problem, "forward", {})).pass;
`;

  // TypeScript 6 has WebGPU's types in its own "DOM". Those of @webgpu/types, which older projects have, contradict
  // them, so there the declarations cannot be checked, only their use.
  test.each([
    { moduleResolution: "bundler", module: "ESNext", types: [], skipLibCheck: false },
    { moduleResolution: "nodenext", module: "NodeNext", types: [], skipLibCheck: false },
    { moduleResolution: "bundler", module: "ESNext", types: ["@webgpu/types"], skipLibCheck: true },
  ])("strict, moduleResolution $moduleResolution, types $types", (settings) => {
    const compilerOptions = {
      ...settings,
      target: "ES2022",
      lib: ["ES2022", "ESNext.Disposable", "DOM", "DOM.Iterable"],
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["consumer.ts"] }));
    writeFileSync(join(folder, "consumer.ts"), consumer);
    expect(typeCheck()).toBe("");
  });

  /** What the compiler has to say; empty when all is well. */
  function typeCheck(): string {
    try {
      return execFileSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", folder], {
        cwd: folder,
        encoding: "utf8",
      });
    } catch (error) {
      return (error as { readonly stdout: string }).stdout;
    }
  }
});

describe("in a page", () => {
  test("the entry and its chunks import nothing but one another", () => {
    const specifiers = [...textsOf("index.js").values()].flatMap(specifiersOf);
    expect(specifiers.filter((specifier) => !specifier.startsWith("./"))).toEqual([]);
  });

  test("so does the reference; the Node entry takes only Node's own modules and the optional peer", () => {
    const external = (entry: string): string[] =>
      [...textsOf(entry).values()].flatMap(specifiersOf).filter((specifier) => !specifier.startsWith("./"));
    expect(external("reference.js")).toEqual([]);
    const foreign = external("node.js").filter((specifier) => !specifier.startsWith("node:"));
    expect(new Set(foreign)).toEqual(new Set(["webgpu"]));
  });

  test("the version is the package's", () => expect(VERSION).toBe(manifest.version));

  test("there are no runtime dependencies", () => expect(manifest.dependencies ?? {}).toEqual({}));

  test("nothing is evaluated from text, as a strict content security policy demands", () => {
    for (const [file, text] of textsOf("index.js"))
      expect(text, file).not.toMatch(/\beval\s*\(|\bnew Function\b|\bFunction\s*\(/);
  });

  test(`a page that bundles all of it carries less than ${String(MOST_GZIP_BYTES)} bytes`, async () => {
    // A script of its own, as a page has: what vite builds as a library keeps its whitespace.
    const lib = { entry: join(DIST, "index.js"), formats: ["iife" as const], name: "convolution" };
    const bundled = await bundle({ configFile: false, logLevel: "silent", build: { lib, write: false, minify: true } });
    const chunks = (
      bundled as readonly { readonly output: readonly { readonly type: string; readonly code?: string }[] }[]
    )
      .flatMap(({ output }) => output)
      .map(({ code }) => code ?? "");
    const bytes = gzipSync(chunks.join("\n")).length;
    console.info(`webgpu-conv: ${String(bytes)} bytes minified and compressed`);
    expect(bytes).toBeGreaterThan(8192);
    expect(bytes).toBeLessThan(MOST_GZIP_BYTES);
  });
});
