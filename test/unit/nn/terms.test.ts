/** Terms by their numbers. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { SUM_CODE, termCode } from "../../../src/nn/core/terms.js";

const SHADER = readFileSync(resolve(import.meta.dirname, "../../../shaders/common/terms.wgsl"), "utf8");

test("the shader has them in the host's order", () => {
  const named = [...SHADER.matchAll(/^const ([A-Z_]+): u32 = (\d+)u;$/gm)];
  expect(named.length).toBeGreaterThan(10);
  for (const [, name, code] of named) {
    const term = name.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    expect(termCode(term as "sum"), name).toBe(Number(code));
  }
});

test("a sum's is known without the others", () => expect(SUM_CODE).toBe(termCode("sum")));
