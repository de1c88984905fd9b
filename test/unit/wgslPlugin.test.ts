/** What the build reads off a shader, checked against its text by WGSL's own rules. */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { buildKernel, buildKernels, readShaders } from "../../build/wgslPlugin.js";
import { type Kernel, settableNames } from "../../src/kernels/kernel.js";

const SHADER_ROOT = resolve(import.meta.dirname, "../../shaders");
const SHADERS = readShaders(SHADER_ROOT);
const KERNEL_FILES = Object.keys(SHADERS).filter((file) => !file.startsWith("common/"));
/** WGSL's alignment and size of the types that uniforms use (WGSL, 14.4.1). */
const LAYOUT: Readonly<Record<string, readonly [alignment: number, bytes: number]>> = {
  u32: [4, 4],
  i32: [4, 4],
  f32: [4, 4],
  "vec2<u32>": [8, 8],
  "vec2<f32>": [8, 8],
  "vec3<u32>": [16, 12],
  "vec3<i32>": [16, 12],
  "vec4<u32>": [16, 16],
  "vec4<f32>": [16, 16],
};

const roundUp = (value: number, multiple: number): number => Math.ceil(value / multiple) * multiple;

/** Offsets and size of the struct, from its members' types. */
function layOut(body: string): Kernel["uniforms"] {
  const fields: Record<string, Kernel["uniforms"]["fields"][string]> = {};
  let end = 0;
  let largestAlignment = 0;
  for (const [, name, type] of body.matchAll(/^\s*(\w+): ([\w<>]+),/gm)) {
    const [alignment, bytes] = LAYOUT[type];
    const offsetBytes = roundUp(end, alignment);
    fields[name] = { offsetBytes, type: type.replace(/^vec\d<|>$/g, "") as "u32", count: bytes / 4 };
    end = offsetBytes + bytes;
    largestAlignment = Math.max(largestAlignment, alignment);
  }
  return { bytes: roundUp(end, largestAlignment), fields };
}

function firstGroup(pattern: RegExp, text: string): string {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`no ${String(pattern)} in the shader`);
  return found;
}

const UNIFORMS = /@binding\(0\) var<uniform> \w+: (\w+);/;

/** The text that declares a kernel's uniforms: its own, or that of the shared part which it has them from. */
function declaringUniforms(file: string): string {
  if (UNIFORMS.test(SHADERS[file])) return SHADERS[file];
  const part = firstGroup(/import package::common::(\w+)::\{[^}]*\bgeometry\b/, SHADERS[file]);
  return SHADERS[`common/${part}.wgsl`];
}

/** Storage that a text declares, by name. */
function storageOf(text: string): Partial<Kernel["bindings"]> {
  const declared = [...text.matchAll(/@group\(0\) @binding\((\d+)\) var<storage, (read|read_write)> (\w+):/g)];
  expect(declared.length).toBe(text.split("var<storage").length - 1);
  return Object.fromEntries(
    declared.map(([, binding, access, name]) => [name, { binding: Number(binding), access: access as "read" }]),
  );
}

/** Storage that the shared parts declare: forward passes and weight gradients have some of the same name. */
const SHARED_STORAGE = Object.entries(SHADERS)
  .filter(([file]) => file.startsWith("common/"))
  .flatMap(([, text]) => Object.entries(storageOf(text)))
  .reduce<Partial<Record<string, unknown[]>>>((all, [name, binding]) => {
    return { ...all, [name]: [...(all[name] ?? []), binding] };
  }, {});

describe.each(KERNEL_FILES)("%s", (file) => {
  test("its uniform struct is laid out as WGSL says", async () => {
    const { uniforms } = await buildKernel(file, SHADERS);
    const text = declaringUniforms(file);
    const structName = firstGroup(UNIFORMS, text);
    const body = firstGroup(new RegExp(`struct ${structName} \\{([^}]*)\\}`), text);
    expect(uniforms).toEqual(layOut(body));
  });

  test("its storage bindings are its own, and those that it reads or writes through the parts it shares", async () => {
    const { bindings, code } = await buildKernel(file, SHADERS);
    const own = Object.keys(storageOf(SHADERS[file]));
    const shared = Object.keys(SHARED_STORAGE).filter((name) => new RegExp(`\\b${name}\\[`).test(code));
    expect(Object.keys(bindings).sort()).toEqual([...new Set([...own, ...shared])].sort());
    for (const [name, binding] of Object.entries(bindings)) {
      expect([storageOf(SHADERS[file])[name], ...(SHARED_STORAGE[name] ?? [])], name).toContainEqual(binding);
    }
    const numbers = Object.values(bindings).map(({ binding }) => binding);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers).not.toContain(0);
  });

  test("every constant marked in the linked text is tunable, and no import is left", async () => {
    const { code, constants, aliases } = await buildKernel(file, SHADERS);
    expect([...constants, ...aliases]).toHaveLength(code.split("// @specialize").length - 1);
    expect(code).not.toMatch(/^import /m);
    for (const name of constants) {
      expect(code).toMatch(
        new RegExp(`^const ${name}: (u32 = \\d+u|[if]32 = -?[\\d.]+|bool = (true|false)); // @specialize$`, "m"),
      );
    }
  });

  test("its conditions are those of the linked text, before a block or a line each", async () => {
    const { code, conditions } = await buildKernel(file, SHADERS);
    const asked = [...code.matchAll(/@if\((\w+)\) (?:\{\n|.*[;,]\n)/g)].map(([, name]) => name);
    expect(asked).toHaveLength(code.split("@if").length - 1);
    expect([...conditions].sort()).toEqual([...new Set(asked)].sort());
  });

  test("its declaration beside it is up to date: it names the constants, fields, bindings and aliases", async () => {
    const kernel = await buildKernel(file, SHADERS);
    const { uniforms, bindings, aliases } = kernel;
    const declaration = readFileSync(join(SHADER_ROOT, file.replace(/\.wgsl$/, ".d.wgsl.ts")), "utf8");
    const named = [...declaration.matchAll(/^ {2}(".*"|never),?$/gm)].map(([, union]) =>
      union.split(" | ").flatMap((name) => (name === "never" ? [] : [JSON.parse(name) as string])),
    );
    expect(named).toEqual([settableNames(kernel), Object.keys(uniforms.fields), Object.keys(bindings), aliases]);
  });
});

test("declarations are written for kernels, not for the parts they share", async () => {
  const folder = mkdtempSync(join(tmpdir(), "webgpu-conv-shaders-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const file of Object.keys(SHADERS)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    copyFileSync(join(SHADER_ROOT, file), join(folder, file));
  }
  const kernels = await buildKernels(folder);
  expect(kernels.map(({ name }) => `${name}.wgsl`).sort()).toEqual(KERNEL_FILES.map((file) => basename(file)).sort());
  const written = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".d.wgsl.ts"),
  );
  expect(written.sort()).toEqual(KERNEL_FILES.map((file) => file.replace(/\.wgsl$/, ".d.wgsl.ts")).sort());
  for (const file of written) {
    expect(readFileSync(join(folder, file), "utf8")).toBe(readFileSync(join(SHADER_ROOT, file), "utf8"));
  }
});

describe("a file that the host could not use fails the build", () => {
  const uniform = "struct U { a: u32, }\n@group(0) @binding(0) var<uniform> u: U;\n";
  const body = "@compute @workgroup_size(1) fn main() { _ = u.a; }\n";

  test("the one that follows the rules does not", async () => {
    const code = `const N: u32 = 3u; // @specialize\n${uniform}${body.replace("u.a", "u.a + N")}`;
    const kernel = await buildKernel("k.wgsl", { "k.wgsl": code });
    expect(kernel).toMatchObject({
      name: "k",
      constants: ["N"],
      uniforms: { bytes: 4, fields: { a: { offsetBytes: 0, type: "u32", count: 1 } } },
      bindings: {},
    });
  });

  test.each([
    [
      "two uniforms",
      `${uniform}@group(0) @binding(1) var<uniform> v: U;\n${body.replace("u.a", "u.a + v.a")}`,
      "expected one uniform, at binding 0",
    ],
    ["a uniform elsewhere", uniform.replace("binding(0)", "binding(2)") + body, "expected one uniform, at binding 0"],
    ["another entry point", uniform + body.replace("main", "run"), "expected a compute entry point named main"],
    [
      "an array in the uniforms",
      uniform.replace("a: u32", "a: u32, m: array<vec4<u32>, 2>") + body,
      /uniform fields of type .* are not supported/,
    ],
    [
      "a matrix in the uniforms",
      uniform.replace("a: u32", "a: u32, m: mat4x4<f32>") + body,
      /uniform fields of type .* are not supported/,
    ],
    [
      "a condition of several names",
      `${uniform}@if(A && B) const N: u32 = 2u;\n${body}`,
      "expected @if(NAME), and @else behind what follows it alone",
    ],
    ["an @else alone", uniform + body.replace("{", "{ @else { return; }"), "expected @if(NAME)"],
    [
      "a condition of a loop",
      uniform + body.replace("{", "{\n@if(A) for (var i = 0u; i < 2u; i++) {\n}\n"),
      /a condition of a shader is followed by "for/,
    ],
    [
      "a tunable constant that is an expression",
      `const N: u32 = 2u * 3u; // @specialize\n${uniform}${body.replace("u.a", "u.a + N")}`,
      'constant N has the value "2u * 3u"; expected a literal',
    ],
  ])("%s", async (_, code, message) => {
    await expect(buildKernel("k.wgsl", { "k.wgsl": code })).rejects.toThrow(message);
  });
});
