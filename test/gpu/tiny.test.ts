/** Subnormal numbers and -0 in every pass and solver: kept or flushed to zero, as WGSL allows, and nothing else. */
import { expect } from "vitest";
import { measureTiny, tinySection } from "../../examples/accuracy/tiny.js";
import { gpuTest } from "../support/gpuTest.js";

gpuTest("subnormal numbers and -0 are kept or become zero", async ({ engine }) => {
  const outcomes = await measureTiny(engine);
  // What docs/accuracy.md has of this platform.
  console.info(tinySection(engine.adapter.description, outcomes));
  expect(outcomes.length).toBeGreaterThan(100);
  expect(outcomes.filter(({ became }) => became === "another number")).toEqual([]);
  expect(outcomes.filter(({ where, became }) => where.startsWith("a tensor") && became === "0")).toEqual([]);
});
