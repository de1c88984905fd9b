/** The README's code: every TypeScript block compiles strictly, runs, and prints what its comments say. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { format } from "node:util";
import ts from "typescript";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const README = readFileSync(join(ROOT, "README.md"), "utf8");

/** A block's heading and text. */
interface Block {
  readonly heading: string;
  readonly code: string;
}

function typeScriptBlocks(markdown: string): Block[] {
  return [...markdown.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => {
    const headings = [...markdown.slice(0, match.index).matchAll(/^## (.*)$/gm)];
    return { heading: headings.at(-1)?.[1] ?? "", code: match[1] };
  });
}

/** What the comments behind `console.log(...)` say, in order. */
function promisedOutput(code: string): string[] {
  return [...code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text);
}

/** The block as it runs here: on the sources, and a page's on Node's device (its entry exports all that a page's does). */
function onSources(code: string): string {
  const sources = { "": "node.ts", "/node": "node.ts", "/reference": "reference/index.ts" };
  return code.replace(/from "webgpu-conv(|\/node|\/reference)"/g, (_, entry: keyof typeof sources) => {
    return `from ${JSON.stringify(join(ROOT, "src", sources[entry]))}`;
  });
}

const blocks = typeScriptBlocks(README);
let folder: string;

beforeAll(() => {
  // Below the root, so that the compiler finds the types that the project names; git and lint ignore it.
  mkdirSync(join(ROOT, "out"), { recursive: true });
  folder = mkdtempSync(join(ROOT, "out", "readme-"));
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

function messagesOf(files: readonly string[]): string[] {
  const { config } = ts.readConfigFile(join(ROOT, "tsconfig.json"), (path) => ts.sys.readFile(path)) as {
    readonly config: object;
  };
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, ROOT);
  const program = ts.createProgram(files, options);
  return ts.getPreEmitDiagnostics(program).map(({ messageText, file }) => {
    return `${file?.fileName ?? ""}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
}

test("there are blocks for Node and for a page", () => {
  const imported = blocks.map(({ code }) => /from "(.*?)"/.exec(code)?.[1]);
  expect(imported).toEqual(expect.arrayContaining(["webgpu-conv/node", "webgpu-conv"]));
});

test("every block compiles, under the package's own names", () => {
  const files = blocks.map(({ code }, index) => {
    const file = join(folder, `types${String(index)}.ts`);
    writeFileSync(file, code);
    return file;
  });
  expect(messagesOf(files)).toEqual([]);
});

describe("every block prints what it says", () => {
  test.each(blocks.map((block, index) => ({ ...block, index })))("$heading ($index)", async ({ code, index }) => {
    const file = join(folder, `run${String(index)}.ts`);
    writeFileSync(file, onSources(code));
    const printed: string[] = [];
    vi.spyOn(console, "log").mockImplementation((...values: unknown[]) => {
      printed.push(format(...values).replace(/\s+/g, " "));
    });
    await import(/* @vite-ignore */ file);
    expect(promisedOutput(code)).not.toEqual([]);
    expect(printed).toEqual(promisedOutput(code));
  });
});

test("files that it links to exist", () => {
  const links = [...README.matchAll(/\]\(([^)#:]+)\)/g)].map(([, path]) => path);
  expect(links).not.toEqual([]);
  for (const path of links) expect(() => readFileSync(join(ROOT, path))).not.toThrow();
});

test("scripts that it names exist", () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    readonly scripts: Readonly<Record<string, string>>;
  };
  const named = [...README.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name);
  expect(named).not.toEqual([]);
  for (const name of named) expect(scripts).toHaveProperty([name]);
});
