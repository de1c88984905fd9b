/** What the report of kernels reads in drivers' statistics and machine code. */
import { describe, expect, test } from "vitest";
import { readAmd } from "../../../examples/kernels/machine/amd.js";
import { readIntel } from "../../../examples/kernels/machine/intel.js";
import { findHotLoop, findLoops, scratchInLoops } from "../../../examples/kernels/machine/loops.js";
import {
  instructionsPerMultiplyAdd,
  multiplyAddShare,
  readCompiled,
  readStatistics,
} from "../../../examples/kernels/machine/statistics.js";
import { AMD_LINE, AMD_PACKED, AMD_SPILLS, AMD_TILE, INTEL_LINE, INTEL_TILE, INTEL_XE2 } from "./samples.js";

describe("loops", () => {
  test("nest, with their own instructions and the turns that a constant says", () => {
    const [outer, ...others] = findLoops(readAmd(AMD_TILE));
    expect(others).toEqual([]);
    expect(outer).toMatchObject({ turns: undefined, own: { multiplyAdd: 0, slowMultiply: 1, memory: 1, shared: 1 } });
    const [inner] = outer.inner;
    expect(inner).toMatchObject({ turns: 4, inner: [], own: { multiplyAdd: 3, vector: 2, shared: 1, scalar: 4 } });
  });

  test("an inner loop's turns count in the one around it, where they are known", () => {
    expect(findHotLoop(findLoops(readAmd(AMD_TILE)))?.counts).toMatchObject({
      multiplyAdd: 12,
      multiplyAdds: 12,
      vector: 8,
      slowMultiply: 1,
      shared: 5,
      memory: 1,
    });
    expect(findHotLoop(findLoops(readAmd("#### Assembly\nBB0:\n\ts_endpgm ; bf810000\n")))).toBeUndefined();
  });

  test("scratch counts inside loops alone", () => {
    expect(scratchInLoops(findLoops(readAmd(AMD_SPILLS)))).toBe(2);
    expect(scratchInLoops(findLoops(readAmd(AMD_TILE)))).toBe(0);
    expect(scratchInLoops(findLoops(readIntel(INTEL_TILE, 16)))).toBe(1);
    expect(scratchInLoops(findLoops(readIntel(INTEL_XE2, 32)))).toBe(1);
  });

  test("packed multiply-adds are two, two that are issued at once are two, and those of fewer lanes a part", () => {
    expect(findHotLoop(findLoops(readAmd(AMD_PACKED)))?.counts).toMatchObject({
      multiplyAdd: 4,
      multiplyAdds: 5,
      vector: 0,
    });
    // Four turns of one of 16 lanes and two of 8; the outer loop's move, message, three comparisons and two jumps.
    expect(findHotLoop(findLoops(readIntel(INTEL_TILE, 16)))?.counts).toEqual({
      multiplyAdd: 12,
      multiplyAdds: 8,
      vector: 8,
      slowMultiply: 0,
      scalar: 6,
      memory: 0,
      shared: 4,
      scratch: 1,
    });
    expect(findHotLoop(findLoops(readIntel(INTEL_XE2, 32)))?.counts).toMatchObject({
      multiplyAdds: 1,
      memory: 1,
      shared: 1,
      scratch: 1,
    });
  });
});

describe("statistics", () => {
  test("AMD's", () => {
    expect(readStatistics(AMD_LINE)).toEqual({
      number: 3,
      vendor: "amd",
      subgroup: 64,
      registers: 64,
      waves: 16,
      spills: 0,
      fills: 0,
      instructions: 582,
    });
  });

  test("Intel's", () => {
    expect(readStatistics(INTEL_LINE)).toEqual({
      number: 1,
      vendor: "intel",
      subgroup: 16,
      registers: 151,
      waves: undefined,
      spills: 12,
      fills: 44,
      instructions: 884,
    });
  });

  test("other lines are none", () => {
    for (const line of [
      "",
      "KERNEL ab12",
      "PIPELINE failed: main, VkResult -3",
      "PIPELINE 1 main | compute subgroup 8 | Size=3;",
    ]) {
      expect(readStatistics(line)).toBeUndefined();
    }
  });

  test("of the hot loop: AMD's vectors, 32-bit products four times; all that Intel issues", () => {
    const read = (line: string, text: string) => {
      const statistics = readStatistics(line);
      if (!statistics) throw new Error("the sample is none");
      return readCompiled(statistics, text);
    };
    const amd = read(AMD_LINE, AMD_TILE);
    expect(multiplyAddShare(amd)).toBeCloseTo(12 / (12 + 8 + 4), 12);
    expect(instructionsPerMultiplyAdd(amd)).toBeCloseTo(21 / 12, 12);
    const intel = read(INTEL_LINE, INTEL_TILE);
    expect(intel).toMatchObject({ spills: 12, scratchInLoops: 1 });
    expect(instructionsPerMultiplyAdd(intel)).toBeCloseTo(31 / 8, 12);
    expect(multiplyAddShare(intel)).toBeCloseTo(8 / 31, 12);
    const none = read(AMD_LINE, "");
    expect([multiplyAddShare(none), instructionsPerMultiplyAdd(none)]).toEqual([undefined, undefined]);
  });
});
