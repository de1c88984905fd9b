/** The check of the shaders' text: that it finds what it is for, and that the shaders pass it. */
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { lintShaders } from "../../build/lintShaders.js";
import { readShaders } from "../../build/wgslPlugin.js";

const COMMON = `// What others import.
const SIZE: u32 = 4u;
fn twice(value: u32) -> u32 {
  return 2u * value;
}
`;

const KERNEL = `import package::common::parts::{twice, SIZE};
alias Word = u32;
struct Words {
  words: array<Word, SIZE>,
}
@group(0) @binding(0) var<storage, read_write> result: Words;
@compute @workgroup_size(1)
fn main() {
  result.words[0] = twice(1u);
}
`;

const faultsOf = (kernel: string, common = COMMON): string[] =>
  lintShaders({ "common/parts.wgsl": common, "family/kernel.wgsl": kernel });

test("what is used, or imported by another file, passes", () => {
  expect(faultsOf(KERNEL)).toEqual([]);
});

test.each([
  ["a line of 121 characters", `${KERNEL}// ${"x".repeat(118)}\n`, "line 11 has 121 characters; at most 120"],
  ["a blank at a line's end", KERNEL.replace("{\n  words", "{ \n  words"), "line 3 ends with a blank"],
  ["a tab", KERNEL.replace("  words:", "\twords:"), "line 4 has a tab"],
  ["an import", KERNEL.replace("twice(1u)", "1u"), "twice is imported and not used"],
  ["an import that a comment names", KERNEL.replace("twice(1u)", "1u; // twice"), "twice is imported and not used"],
  [
    "an import of one name",
    `import package::common::parts::twice;\n${KERNEL.replace("{twice, SIZE}", "SIZE").replace("twice(1u)", "1u")}`,
    "twice is imported and not used",
  ],
  ["a constant", `${KERNEL}const OTHER: u32 = 1u; // @specialize\n`, "OTHER is declared and not used"],
  ["an alias", `${KERNEL}alias Other = f32;\n`, "Other is declared and not used"],
  ["a struct", `${KERNEL}struct Other {\n  a: u32,\n}\n`, "Other is declared and not used"],
  ["a function", `${KERNEL}fn other() {\n}\n`, "other is declared and not used"],
  [
    "storage",
    `${KERNEL}@group(0) @binding(1) var<storage, read> other: array<u32>;\n`,
    "other is declared and not used",
  ],
  ["workgroup memory", `${KERNEL}var<workgroup> other: array<u32, 4>;\n`, "other is declared and not used"],
])("%s is found", (_, kernel, fault) => {
  expect(faultsOf(kernel)).toContain(`shaders/family/kernel.wgsl: ${fault}`);
});

const TILE = `const SIZE: u32 = 4u;
fn twice(value: u32) -> u32 {
  return 2u * value;
}
var<workgroup> tile: array<vec4<f32>, SIZE>;
`;

const writing = (statement: string): string =>
  KERNEL.replace("{twice, SIZE}", "{twice, tile, SIZE}").replace("result.words[0]", `${statement};\n  result.words[0]`);

const RACE = "is shared by threads, and a component of its vectors is written alone: write whole vectors";

test.each(["tile[SIZE - 1u][twice(1u) % 4u] = 1.0", "tile[twice(2u)].y += 1.0", "tile[result.words[1]][2] = 0.0"])(
  "a component of a shared vector, written alone: %s",
  (statement) => {
    expect(faultsOf(writing(statement), TILE)).toEqual([`shaders/family/kernel.wgsl: tile ${RACE}`]);
  },
);

test("a shared vector that is no array", () => {
  const whole = `${KERNEL}var<workgroup> start: vec4<u32>;\nfn more() {\n  start.x = 1u;\n}\n`;
  expect(faultsOf(whole)).toContain(`shaders/family/kernel.wgsl: start ${RACE}`);
});

test.each([
  "tile[0] = vec4<f32>()",
  "var own = tile[0]; own.x = tile[1].y; own[1] = tile[2][3]",
  "if (tile[1].x == 1.0) { tile[0] = tile[1]; }",
])("whole vectors, a thread's own and what is read pass: %s", (statement) => {
  expect(faultsOf(writing(statement), TILE)).toEqual([]);
});

test("what a shared part declares for nobody is found", () => {
  expect(faultsOf(KERNEL, `${COMMON}const OTHER: u32 = 1u;\n`)).toEqual([
    "shaders/common/parts.wgsl: OTHER is declared and not used",
  ]);
});

test("the shaders pass", () => {
  expect(lintShaders(readShaders(resolve(import.meta.dirname, "../../shaders")))).toEqual([]);
});
