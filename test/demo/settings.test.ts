/** Settings, links and the judgement of what fits: without a browser. */
import { describe, expect, test } from "vitest";
import { makeProblem } from "webgpu-conv/reference";
import { describeFit, type FitSettings } from "../../examples/demo/parts/layer/fit.js";
import { LIMITS, MODES } from "../../examples/demo/parts/layer/limits.js";
import { formatLink, parseSettings, partOf } from "../../examples/demo/settings/link.js";
import { choice, edits, flag, integer, text } from "../../examples/demo/settings/schema.js";

const schema = {
  F: integer(3, [1, 5]),
  mode: choice("zeros", ["zeros", "reflect"]),
  all: flag(false),
  name: text("", 5),
  x: edits(2),
};

describe("links", () => {
  test("hold what differs from the initial values, and give it back", () => {
    const values = {
      F: 5,
      mode: "reflect",
      all: true,
      name: "a&b=",
      x: new Map([
        [12, -3.5],
        [4, 0],
      ]),
    };
    const link = formatLink("layer", schema, values);
    expect(link).toBe("#layer?F=5&mode=reflect&all=1&name=a%26b%3D&x=12:-3.5,4:0");
    expect(parseSettings(link, schema)).toEqual(values);
    expect(formatLink("layer", schema, parseSettings("#layer", schema))).toBe("#layer");
  });

  test.each([
    ["#layer?F=99", { F: 5 }],
    ["#layer?F=-1", { F: 1 }],
    ["#layer?F=two&mode=circular&all=yes", {}],
    ["#layer?F=1e3&F=2", {}],
    ["#layer?name=abcdefgh", { name: "abcde" }],
    [
      "#layer?x=1:2,3:4,5:6",
      {
        x: new Map([
          [1, 2],
          [3, 4],
        ]),
      },
    ],
    ["#layer?x=a:b,7:8,:,9:", { x: new Map([[7, 8]]) }],
    ["#%E0%A4%A?%%%", {}],
    ["?F=2", { F: 2 }],
    ["", {}],
  ])("%s is read as far as it can be", (hash, read) => {
    expect(parseSettings(hash, schema)).toEqual({ ...parseSettings("", schema), ...read });
  });

  test("name a part, or mean the first", () => {
    const parts = [
      { id: "one", schema },
      { id: "two", schema },
    ];
    expect(["#two?F=1", "#two", "#three", "", "#"].map((hash) => partOf(hash, parts).id)).toEqual([
      "two",
      "two",
      "one",
      "one",
      "one",
    ]);
  });
});

describe("what fits", () => {
  const range = ([least, most]: readonly [number, number]): number[] =>
    Array.from({ length: most - least + 1 }, (_, i) => least + i);

  function* everySetting(): Generator<FitSettings> {
    for (const W of range(LIMITS.W))
      for (const F of range(LIMITS.F))
        for (const S of range(LIMITS.S))
          for (const P of range(LIMITS.P))
            for (const D of range(LIMITS.D)) for (const mode of MODES) yield { W, F, S, P, D, mode };
  }

  /** What the engine says of a layer: its output's extent, or undefined where it throws. */
  function extentOf({ W, F, S, P, D, mode }: FitSettings): number | undefined {
    try {
      const options = { stride: S, padding: P, dilation: D, paddingMode: mode };
      return makeProblem(2, [1, 1, W, W], [1, 1, F, F], options).output[2];
    } catch {
      return undefined;
    }
  }

  test("is what the engine takes, for all settings of the sliders", () => {
    const counts = { fits: 0, uneven: 0, impossible: 0 };
    for (const settings of everySetting()) {
      const { kind, reason, remedies } = describeFit(settings);
      counts[kind]++;
      const extent = extentOf(settings);
      expect(kind === "impossible").toBe(extent === undefined);
      if (extent !== undefined) {
        const exact = (settings.W + 2 * settings.P - settings.D * (settings.F - 1) - 1) / settings.S + 1;
        expect(kind).toBe(exact === extent ? "fits" : "uneven");
      }
      expect(reason === "").toBe(kind === "fits");
      for (const remedy of remedies) expect(describeFit({ ...settings, ...remedy }).kind).toBe("fits");
      if (kind === "fits") expect(remedies).toEqual([]);
    }
    expect(Math.min(...Object.values(counts))).toBeGreaterThan(100);
  });

  test("has a remedy wherever it does not", () => {
    let without = 0;
    for (const settings of everySetting()) {
      const { kind, remedies } = describeFit(settings);
      if (kind !== "fits" && remedies.length === 0) without++;
    }
    expect(without).toBe(0);
  });
});
