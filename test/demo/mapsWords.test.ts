/** What is said of maps, and which of them are painted: without a browser. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { createEngine } from "webgpu-conv";
import { uniform } from "../../examples/benchmark/random.js";
import { MapLayer } from "../../examples/demo/parts/maps/drawMaps.js";
import { type Bank, chooseBank, EXTENT, TAPS } from "../../examples/demo/parts/maps/filters.js";
import { describeTime, meanTime, Pace } from "../../examples/demo/parts/maps/pace.js";
import { schema } from "../../examples/demo/parts/maps/part.js";
import { readOut } from "../../examples/demo/parts/maps/readout.js";
import { initialValues } from "../../examples/demo/settings/schema.js";

afterEach(() => vi.unstubAllGlobals());

/** A filter with this bias alone. */
const withBias = (bias: number): Bank => ({
  names: ["one"],
  weight: new Float32Array(3 * TAPS),
  bias: Float32Array.of(bias),
  ranges: [],
});

const tapsOf = (some: Readonly<Record<number, number>>): number[] =>
  Array.from({ length: TAPS }, (_, tap) => some[tap] ?? 0);

describe("where an answer comes from", () => {
  test.each([
    [0.5, { 3: 0.25 }, "0.7500", "Most comes from the bias: 0.5000."],
    [0.25, { 3: 0.5 }, "0.7500", "Most comes from row 1, column 4 of the filter: 0.5000."],
    [
      0,
      { 12: 0.5, 3: -0.75, 0: 0.5 },
      "0.2500",
      "Most comes from row 1, column 1 of the filter: 0.5000, and as much from one other part.",
    ],
    [0, { 12: 0.5, 3: -0.75 }, "-0.2500", "Most comes from row 1, column 4 of the filter: -0.7500."],
    [-1, { 12: 0.5 }, "-0.5000", "Most comes from the bias: -1.0000."],
    [
      0.5,
      { 7: 0.5 },
      "1.0000",
      "Most comes from row 2, column 3 of the filter: 0.5000, and as much from one other part.",
    ],
    [-0.5, { 7: 0.5 }, "0.0000", "What its parts add cancels out."],
    [0, { 7: -1e-9 }, "0.0000", "No part of the filter fires here."],
    [0, {}, "0.0000", "No part of the filter fires here."],
  ])("bias %d and %o: %s. %s", (bias, some, answer, origin) => {
    expect(readOut(withBias(bias), 0, tapsOf(some))).toEqual({ answer, origin });
  });

  test("is never a part that is smaller than another in its direction", () => {
    const next = uniform(7);
    const kinds = new Set<string>();
    for (let i = 0; i < 500; i++) {
      const bias = Math.fround(next() * 2);
      const parts = Array.from({ length: TAPS }, next);
      const { answer, origin } = readOut(withBias(bias), 0, parts);
      const total = parts.reduce((sum, part) => sum + part, bias);
      expect(Math.abs(Number(answer) - total)).toBeLessThan(1e-4);
      const all = [...parts, bias].map((part) => part * Math.sign(total));
      const [, row, column] = /row (\d), column (\d)/.exec(origin) ?? [];
      const named = origin.includes("the bias") ? TAPS : (Number(row) - 1) * EXTENT + Number(column) - 1;
      expect(all[named]).toBe(Math.max(...all));
      kinds.add(named === TAPS ? "bias" : "tap");
    }
    expect(kinds.size).toBe(2);
  });
});

describe("times", () => {
  test("of frames that the device's clock saw nothing of are nothing by it", () => {
    const step = { milliseconds: 0.1, clock: "timestamp" } as const;
    const unseen = { milliseconds: 3, clock: "wall-clock" } as const;
    expect(meanTime([step, unseen, unseen, unseen])).toEqual({ milliseconds: 0.025, clock: "timestamp" });
    expect(meanTime([unseen, unseen])).toEqual(unseen);
    expect(describeTime(step, "a device")).toBe("0.100 ms for the layer on a device, by the device's own clock");
  });

  test("and the rate are of the last frames", () => {
    const pace = new Pace();
    pace.add({ milliseconds: 900, clock: "timestamp" }, 0);
    expect(pace.describe("a device")).toBe("900 ms for the layer on a device, by the device's own clock");
    for (let frame = 0; frame < 20; frame++) pace.add({ milliseconds: 4, clock: "timestamp" }, 1000 + 40 * frame);
    expect(pace.describe("a device")).toBe(
      "25.0 frames a second, 4.00 ms for the layer on a device, by the device's own clock, a mean of 20 frames",
    );
    // Frames that were not timed count for the rate alone.
    for (let frame = 1; frame < 20; frame++) pace.add(undefined, 1760 + 20 * frame);
    expect(pace.describe("a device")).toMatch(/^50\.0 frames a second, 4\.00 ms .* a mean of 20 frames$/);
  });
});

test("maps that are no longer wanted are not painted over those that are", async () => {
  class Pixels {
    readonly data: Uint8ClampedArray;
    constructor(
      readonly width: number,
      readonly height: number,
    ) {
      this.data = new Uint8ClampedArray(4 * width * height);
    }
  }
  vi.stubGlobal("ImageData", Pixels);
  using engine = await createEngine({ backend: "cpu" });
  using layer = new MapLayer(engine, chooseBank({ ...initialValues(schema), filters: "random", K: 4 }));
  const painted: number[] = [];
  const canvasOf = (channel: number) => ({
    width: 0,
    height: 0,
    getContext: () => ({ putImageData: () => painted.push(channel) }),
  });
  const canvases = [0, 1, 2, 3].map(canvasOf) as unknown as HTMLCanvasElement[];
  const picture = new ImageData(8, 8);
  await layer.draw(picture, canvases, () => true);
  expect(painted).toEqual([0, 1, 2, 3]);
  painted.length = 0;
  await layer.draw(picture, canvases, () => painted.length < 2);
  expect(painted).toEqual([0, 1]);
});
