/** What the build reads off a shader, checked against its text by WGSL's own rules. */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { TOGETHER } from "../../build/kernelFiles.js";
import { findFormulas, withoutFormulas } from "../../build/lazyText.js";
import { groupShared, referToShared, sharedModule, splitDeclarations } from "../../build/sharedText.js";
import { buildKernel, buildKernels, readShaders } from "../../build/wgslPlugin.js";
import {
  type Kernel,
  type LoadedKernel,
  loadKernel,
  readDeclarations,
  settableNames,
} from "../../src/kernels/kernel.js";

const SHADER_ROOT = resolve(import.meta.dirname, "../../shaders");
const SHADERS = readShaders(SHADER_ROOT);
const KERNEL_FILES = Object.keys(SHADERS).filter((file) => !file.startsWith("common/"));
/** What an import gives. */
const IMPORTED = import.meta.glob<Kernel>(["../../shaders/**/*.wgsl", "!**/common/**"], {
  eager: true,
  import: "default",
});

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

describe("text that kernels share", () => {
  /** The kernel with its declarations in an order that does not depend on how they were put together. */
  const inOrder = (kernel: LoadedKernel): LoadedKernel => {
    const code = [...splitDeclarations(kernel.code)].sort().join("");
    return { ...kernel, code, ...readDeclarations(code) };
  };

  test("is written once, and what is imported are the linked declarations all the same", async () => {
    expect(Object.keys(IMPORTED)).toHaveLength(KERNEL_FILES.length);
    for (const file of KERNEL_FILES) {
      const imported = await loadKernel(IMPORTED[`../../shaders/${file}`]);
      expect(inOrder(imported), file).toEqual(inOrder(await buildKernel(file, SHADERS)));
    }
    const codes = (await Promise.all(Object.values(IMPORTED).map((kernel) => loadKernel(kernel)))).map(
      ({ code }) => code,
    );
    const shared = groupShared(codes);
    const own = codes.map((code) => referToShared(code, shared).expression).join("");
    const carried = own.length + sharedModule(shared).length;
    expect(carried).toBeLessThan(0.75 * codes.join("").length);
  });

  test("is whole declarations, those of the same kernels in a group, behind what a kernel has alone", () => {
    const struct = "struct S {\na: u32,\n}\n";
    const add = "fn add(a: u32) -> u32 {\nif (a > 1u) {\nreturn a;\n}\nreturn a + 1u;\n}\n";
    const constant = "const N: u32 = 3u; // @specialize\n";
    const other = "const M: u32 = 4u;\n";
    expect(splitDeclarations(struct + constant + add)).toEqual([struct, constant, add]);
    const shared = groupShared([constant + add + other, add + struct, struct + other + add, other], 2);
    expect([...shared]).toEqual([
      [add, "shared0"],
      [other, "shared1"],
      [struct, "shared2"],
    ]);
    expect(groupShared([add + struct, struct + add], 2)).toEqual(
      new Map([
        [add, "shared0"],
        [struct, "shared0"],
      ]),
    );
    // Shaders that do not count use what others share, and no more.
    const counted = groupShared([add + other, add + other, other + struct, struct], 2, (i) => i < 2);
    expect([...counted]).toEqual([
      [add, "shared0"],
      [other, "shared1"],
    ]);
    expect(referToShared(struct + add + constant, shared)).toEqual({
      expression: `${JSON.stringify(constant)} + shared2 + shared0`,
      names: ["shared2", "shared0"],
    });
    expect(sharedModule(shared)).toBe(
      [add, other, struct].map((text, i) => `export const shared${String(i)} = ${JSON.stringify(text)};\n`).join(""),
    );
  });
});

test("texts that are one file are of kernels, each in one", () => {
  const kernels = Object.values(TOGETHER).flat();
  const known = KERNEL_FILES.map((file) => basename(file, ".wgsl"));
  expect(kernels.filter((name) => !known.includes(name))).toEqual([]);
  expect(new Set(kernels).size).toBe(kernels.length);
});

test("both branches of a declaration under a condition are one piece of text", () => {
  const places = "@if(VECTORS) const PLACES: u32 = LOADS;\n@else const PLACES: u32 = 4u;\n";
  const pitch = "const PITCH: u32 = PLACES + 1u;\n";
  expect(splitDeclarations(places + pitch)).toEqual([places, pitch]);
});

describe("formulas of activations", () => {
  const main = "@compute @workgroup_size(1) fn main() {\nresult[0] = activate(1.0);\n}\n";
  const activate = "fn activate(x: f32) -> f32 {\n@if(FORMULA) return curve(x);\n@else return scale(x);\n}\n";
  const scale = "fn scale(x: f32) -> f32 { return x * FACTOR; }\n";
  const factor = "const FACTOR: f32 = 1.0; // @specialize\n";
  const curve = "fn curve(x: f32) -> f32 { return FAR * scale(x); }\n";
  const far = "const FAR: f32 = 88.0;\n";
  const enable = "@if(SUBGROUPS) enable subgroups;\n";
  const kernel = [enable, main, activate, curve, scale, factor, far].join("");

  test("are what the condition's branch alone leads to", () => {
    expect(findFormulas([kernel, main])).toBe(curve + far);
    const text = [enable, main, activate, scale, factor].join("");
    expect(withoutFormulas(kernel, curve + far)).toEqual({ text, needs: "on condition" });
  });

  test("come with a kernel that needs one of them in any case, and stay where others are meant", () => {
    const other = kernel.replace("activate(1.0)", "activate(FAR)");
    expect(withoutFormulas(other, curve + far).needs).toBe("always");
    expect(withoutFormulas(main, curve + far)).toEqual({ text: main, needs: "never" });
    expect(withoutFormulas(kernel, "fn curve(x: f32) -> f32 { return x; }\n")).toEqual({
      text: kernel,
      needs: "never",
    });
    expect(withoutFormulas(main, "")).toEqual({ text: main, needs: "never" });
  });

  test("are loaded where the condition holds", async () => {
    const { loadFormulas } = IMPORTED["../../shaders/direct/direct.wgsl"];
    const formulas = (await loadFormulas?.())?.default ?? "";
    expect(formulas).toContain("fn activateNumber");
    for (const file of KERNEL_FILES) {
      const { code } = await buildKernel(file, SHADERS);
      const imported = IMPORTED[`../../shaders/${file}`];
      const always = (await loadKernel(imported, false)).code;
      expect(always.includes("fn activateNumber"), file).toBe(withoutFormulas(code, formulas).needs === "always");
      expect((await loadKernel(imported)).code.includes("fn activateNumber"), file).toBe(
        code.includes("fn activateNumber"),
      );
    }
  });
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
