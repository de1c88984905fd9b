/** Settings and links: without a browser. */
import { describe, expect, test } from "vitest";
import { formatLink, parseSettings, partOf } from "../../examples/demo/settings/link.js";
import { roundsSetting } from "../../examples/demo/settings/rounds.js";
import { choice, edits, flag, integer, text } from "../../examples/demo/settings/schema.js";

const schema = {
  F: integer(3, [1, 5]),
  mode: choice("zeros", ["zeros", "reflect"]),
  all: flag(false),
  name: text("", 5),
  x: edits(2, [-99, 99]),
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
    [
      "#layer?x=1:0.12549999,2:-9999999",
      {
        x: new Map([
          [1, 0.125],
          [2, -99],
        ]),
      },
    ],
    ["#layer?x=1:-0.0001", { x: new Map([[1, 0]]) }],
    ["#%E0%A4%A?%%%", {}],
    ["?F=2", { F: 2 }],
    ["", {}],
  ])("%s is read as far as it can be", (hash, read) => {
    expect(parseSettings(hash, schema)).toEqual({ ...parseSettings("", schema), ...read });
  });

  test("give rounds of which one is the median", () => {
    expect(["3", "4", "31", "99", "-1", "x"].map(roundsSetting.parse)).toEqual([3, 3, 31, 31, 3, 7]);
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
