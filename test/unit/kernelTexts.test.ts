/** How the build divides the texts of kernels: what they share, files of several, formulas that are loaded where they are needed. */
import { basename, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { TOGETHER } from "../../build/kernelFiles.js";
import { findFormulas, withoutFormulas } from "../../build/lazyText.js";
import { groupShared, referToShared, sharedModule, splitDeclarations } from "../../build/sharedText.js";
import { buildKernel, readShaders } from "../../build/wgslPlugin.js";
import { type Kernel, type LoadedKernel, loadKernel, readDeclarations } from "../../src/kernels/kernel.js";

const SHADERS = readShaders(resolve(import.meta.dirname, "../../shaders"));
const KERNEL_FILES = Object.keys(SHADERS).filter((file) => !file.startsWith("common/"));
/** What an import gives. */
const IMPORTED = import.meta.glob<Kernel>(["../../shaders/**/*.wgsl", "!**/common/**"], {
  eager: true,
  import: "default",
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
