/** The code for Node and for TypeScript in the README and its further pages, in a project of its own with the package as it is published. */
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { denoCommand } from "../run/deno.js";
import { makeProject, manifest, ROOT } from "../support/packed.js";
import { NODE_BLOCKS, PAGE_BLOCKS, PAGES, printedLine, SHELL_BLOCKS, TYPED_BLOCKS } from "../support/readme.js";

let folder = "";
beforeAll(async () => {
  folder = await makeProject(["webgpu", "@webgpu/types", "@sparticuz/chromium"]);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a module as it stands; what it prints, on one line. The process must end by itself. */
function run(code: string, [runtime, ...parameters]: readonly string[] = [process.execPath]): string {
  writeFileSync(join(folder, "example.mjs"), code);
  return printedLine(
    execFileSync(runtime, [...parameters, "example.mjs"], { cwd: folder, encoding: "utf8", timeout: 60_000 }),
  );
}

test("there is code for Node, for TypeScript and for a page", () => {
  expect(NODE_BLOCKS.map(({ code }) => /from "(.*?)"/.exec(code)?.[1])).toContain("webgpu-conv/node");
  expect(TYPED_BLOCKS).not.toEqual([]);
  expect(PAGE_BLOCKS).not.toEqual([]);
});

describe("in plain Node every piece prints what it says, and ends", () => {
  test.each(NODE_BLOCKS.map((block, index) => ({ ...block, index })))("$heading ($index)", ({ code, promised }) => {
    expect(promised).not.toEqual([]);
    expect(run(code)).toBe(promised.join(" "));
  });
});

describe("in Deno", () => {
  const deno = denoCommand();
  test.runIf(deno)("the page's script runs as it is", () => {
    const [{ code, promised }] = PAGE_BLOCKS;
    const script = /<script type="module">(.*?)<\/script>/s.exec(code)?.[1] ?? "";
    expect(run(script, deno)).toBe(promised.join(" "));
  });
});

describe("TypeScript compiles strictly", () => {
  // Both ways that it names: with nothing besides, and with the types for WebGPU code of one's own.
  test.each([
    { types: [], skipLibCheck: false },
    { types: ["@webgpu/types"], skipLibCheck: true },
  ])("with types $types", (settings) => {
    const files = TYPED_BLOCKS.map(({ code }, index) => {
      writeFileSync(join(folder, `typed${String(index)}.ts`), code);
      return `typed${String(index)}.ts`;
    });
    const platform = { target: "ES2022", lib: ["ES2022", "DOM"], module: "ESNext", moduleResolution: "Bundler" };
    const compilerOptions = { ...platform, ...settings, strict: true, noEmit: true };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
    const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
    expect(execFileSync(process.execPath, [compiler, "-p", "."], { cwd: folder, encoding: "utf8" })).toBe("");
  });
});

describe("what they name is there:", () => {
  test.each([...PAGES])("files that %s links to, and headings in them", (path, text) => {
    const links = [...text.matchAll(/\]\(([^):#]*)#?([^)]*)\)/g)];
    expect(links).not.toEqual([]);
    for (const [, file, anchor] of links) {
      const target = file === "" ? path : join(dirname(path), file);
      const found = readFileSync(join(ROOT, target), "utf8");
      if (anchor !== "") expect(headingsOf(found), `${target}#${anchor}`).toContain(anchor);
    }
  });

  test("scripts", () => {
    const named = [...PAGES.values()].flatMap((text) =>
      [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name),
    );
    expect(named).not.toEqual([]);
    for (const name of named) expect(manifest.scripts).toHaveProperty([name]);
  });

  test("the packed file, under its name and version", () => {
    const commands = SHELL_BLOCKS.map(({ code }) => code).join("");
    expect(commands).toContain(`npm install webgpu ../webgpu-conv/webgpu-conv-${manifest.version}.tgz`);
  });

  /** Headings as links name them. */
  function headingsOf(text: string): string[] {
    return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading.toLowerCase().replaceAll(" ", "-"));
  }
});
