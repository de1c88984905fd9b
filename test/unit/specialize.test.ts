/** Turning a kernel into the text that is compiled. */
import { describe, expect, test } from "vitest";
import { ConvError } from "../../src/base/errors.js";
import type { LoadedKernel } from "../../src/kernels/kernel.js";
import { type ConstantValues, decideConditions, specialize, unrollLoops } from "../../src/kernels/specialize.js";
import { loadedKernel } from "../support/kernels.js";

const direct = loadedKernel({ name: "direct" });
const registerTile = loadedKernel({ name: "register_tile" });
const vectorTile = loadedKernel({ name: "vector_tile" });

/** A kernel that consists of the given text. */
function kernelOf(code: string, constants: readonly string[] = [], conditions: readonly string[] = []): LoadedKernel {
  return { name: "test", code, constants, conditions, aliases: [], uniforms: { bytes: 16, fields: {} }, bindings: {} };
}

const withoutSpace = (code: string): string => code.replaceAll(/\s+/g, " ").trim();

describe("constants", () => {
  const code = `const ROWS: u32 = 4u; // @specialize
const OFFSET: i32 = 0; // @specialize
const SCALE: f32 = 1.0; // @specialize
const MASKED: bool = false; // @specialize
const ROWS_TWICE: u32 = ROWS * 2u;
`;
  const kernel = kernelOf(code, ["ROWS", "OFFSET", "SCALE", "MASKED"]);

  test("get their values as literals of their own type", () => {
    expect(specialize(kernel, { ROWS: 8, OFFSET: -3, SCALE: 0.5, MASKED: true })).toBe(`const ROWS: u32 = 8u;
const OFFSET: i32 = -3;
const SCALE: f32 = 0.5;
const MASKED: bool = true;
const ROWS_TWICE: u32 = ROWS * 2u;
`);
  });

  test("keep the file's value where none is given", () => {
    expect(specialize(kernel, { ROWS: 8 })).toContain("const OFFSET: i32 = 0;");
  });

  test("that the kernel does not have throw, with those that it has", () => {
    const message = "kernel test has no constant ROWS_TWICE; it has ROWS, OFFSET, SCALE, MASKED";
    expect(() => specialize(kernel, { ROWS_TWICE: 2 })).toThrow(new ConvError(message));
  });

  test("of the real kernels arrive in the text", () => {
    const text = specialize(direct, { KERNEL_HEIGHT: 11, TRANSPOSED: true });
    expect(text).toContain("const KERNEL_HEIGHT: u32 = 11u;");
    expect(text).toContain("const TRANSPOSED: bool = true;");
  });
});

describe("loops marked @unroll", () => {
  test("are written out, a block a turn", () => {
    const code = `const N: u32 = 2u;
for (var i = 0u; i < N; i++) { // @unroll
  a[i] = i + b.i + ii;
}
`;
    expect(withoutSpace(unrollLoops(code))).toBe(
      "const N: u32 = 2u; { a[0u] = 0u + b.i + ii; } { a[1u] = 1u + b.i + ii; }",
    );
  });

  test("are written out inside one another, with bounds that are expressions", () => {
    const code = `const N: u32 = 4u;
for (var i = 0u; i < N / 2u; i++) { // @unroll
  for (var j = 0u; j < N - 2u; j++) { // @unroll
    a[i * N + j] = 1;
  }
}
`;
    const body = (i: number, j: number): string => `{ a[${String(i)}u * N + ${String(j)}u] = 1; }`;
    expect(withoutSpace(unrollLoops(code))).toBe(
      `const N: u32 = 4u; { ${body(0, 0)} ${body(0, 1)} } { ${body(1, 0)} ${body(1, 1)} }`,
    );
  });

  test("vanish at bound 0", () => {
    expect(
      withoutSpace(unrollLoops("const N: u32 = 0u;\nfor (var i = 0u; i < N; i++) { // @unroll\n f(i);\n}\n")),
    ).toBe("const N: u32 = 0u;");
  });

  test("end at their own brace, and what follows stays", () => {
    const code = "for (var i = 0u; i < 1u; i++) { // @unroll\n if (x) { f(i); }\n}\ng(i);\n";
    expect(withoutSpace(unrollLoops(code))).toBe("{ if (x) { f(0u); } } g(i);");
  });

  test("without the mark stay", () => {
    const code = "for (var i = 0u; i < 4u; i++) {\n f(i);\n}\n";
    expect(unrollLoops(code)).toBe(code);
  });

  test("that never end, or whose bound is unknown, throw", () => {
    const open = "for (var i = 0u; i < 2u; i++) { // @unroll\n f(i);\n";
    expect(() => unrollLoops(open)).toThrow(new ConvError("a marked block of a shader has no end"));
    expect(() => unrollLoops("for (var i = 0u; i < M; i++) { // @unroll\n}\n")).toThrow(
      new ConvError("the shader has no integer constant named M"),
    );
  });

  test("follow the constants they are given", () => {
    const copies = (count: number): number =>
      specialize(registerTile, { M_PER_THREAD: count }).split("sums[").length -
      specialize(registerTile, { M_PER_THREAD: 1 }).split("sums[").length;
    expect(copies(1)).toBe(0);
    expect(copies(4)).toBe(3 * copies(2));
    expect(copies(2)).toBeGreaterThan(0);
  });
});

describe("conditions", () => {
  const kernel = kernelOf(
    `const N: u32 = 2u;
@if(LANES) enable subgroups;
struct S {
a: u32,
@if(LANES) lane: u32,
}
for (var i = 0u; i < N; i++) { // @unroll
@if(WIDE) {
@if(LANES) { both(i); }
@if(LANES) lanes(i);
@else wide(i);
} @else {
if (i > 0u) { narrow(i); }
}
}
after();
`,
    [],
    ["WIDE", "LANES"],
  );
  const text = (values: ConstantValues): string =>
    withoutSpace(specialize(kernel, values)).replace("const N: u32 = 2u; ", "");

  test("leave the block or line that holds, within loops and one another", () => {
    expect(text({ WIDE: true, LANES: true })).toBe(
      "enable subgroups; struct S { a: u32, lane: u32, } { { { both(0u); } lanes(0u); } } { { { both(1u); } lanes(1u); } } after();",
    );
    expect(text({ WIDE: true })).toBe("struct S { a: u32, } { { wide(0u); } } { { wide(1u); } } after();");
  });

  test("are false where they are not given", () => {
    const plain =
      "struct S { a: u32, } { { if (0u > 0u) { narrow(0u); } } } { { if (1u > 0u) { narrow(1u); } } } after();";
    expect(text({})).toBe(plain);
    expect(text({ WIDE: false, LANES: false })).toBe(plain);
  });

  test("that the kernel does not have throw", () => {
    expect(() => specialize(kernel, { NARROW: true })).toThrow(
      new ConvError("kernel test has no constant NARROW; it has WIDE, LANES"),
    );
  });

  test("before anything but a block or a line throw", () => {
    expect(() => decideConditions("@if(A) for (;;) {\n}\n", () => true)).toThrow(
      new ConvError('a condition of a shader is followed by "for (;;) {"; expected a block or a line'),
    );
    expect(() => decideConditions("@if(A) {\n f();\n", () => true)).toThrow(
      new ConvError("a marked block of a shader has no end"),
    );
  });

  test("of the real kernels write vectors or scalars", () => {
    const scalars = specialize(vectorTile, {});
    const vectors = specialize(vectorTile, { VECTOR_RESULT: true }, { Result: "vec4f", Sum: "vec4f" });
    expect(scalars).toContain("return activate(value);");
    expect(scalars).not.toContain("return activateVector(value);");
    expect(vectors).toContain("return activateVector(value);");
    expect(vectors).not.toContain("return activate(value);");
  });

  test("leave what needs subgroups only where lanes broadcast", () => {
    expect(specialize(vectorTile, { BROADCAST_LANES: 4 })).not.toContain("subgroup");
    const shared = specialize(vectorTile, { BROADCAST_LANES: 4, SUBGROUPS: true, M_PER_THREAD: 1 });
    expect(shared).toMatch(/^enable subgroups;/);
    expect(shared.match(/subgroupBroadcast\(factors\[0u\], [0-3]u\)/g)).toHaveLength(4);
  });
});

test("half vectors enable f16", () => {
  expect(specialize(vectorTile, {}, { SourceVector: "vec4h" })).toMatch(/^enable f16;/);
});

test("with every constant given, the text holds no mark and no comment line", () => {
  const lines = [...registerTile.code.matchAll(/^const (\w+): \w+ = ([\w.]+); \/\/ @specialize$/gm)];
  expect(lines.map(([, name]) => name)).toEqual(registerTile.constants);
  const valueOf = (text: string) => JSON.parse(text.replace(/u$/, "")) as number | boolean;
  const defaults = lines.map(([, name, value]) => [name, valueOf(value)] as const);
  const text = specialize(registerTile, Object.fromEntries(defaults));
  expect(text).not.toMatch(/@unroll|@specialize|@if|@else/);
  expect(text).not.toMatch(/^\s*\/\//m);
});
