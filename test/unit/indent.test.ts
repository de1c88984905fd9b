/** Shader text laid out for people. */
import { expect, test } from "vitest";
import { indent } from "../../src/kernels/indent.js";

test("is indented by open brackets, without empty lines but between functions", () => {
  const code = [
    "const A: u32 = 1u;",
    "struct S {",
    "value: u32,",
    "}",
    "fn f(",
    "x: u32,",
    ") -> u32 {",
    "if (x == g(A)) {",
    "",
    "return 1u;",
    "} else {",
    "  return 2u;",
    "}",
    "}",
    "fn h() {}",
    "",
  ].join("\n");
  expect(indent(code)).toBe(`const A: u32 = 1u;
struct S {
  value: u32,
}

fn f(
  x: u32,
) -> u32 {
  if (x == g(A)) {
    return 1u;
  } else {
    return 2u;
  }
}

fn h() {}`);
});

test("keeps every line of a text whose brackets do not match", () => {
  expect(indent("}\n}\nfn f() {\nx")).toBe("}\n}\nfn f() {\nx");
});
