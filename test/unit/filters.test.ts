/** The filters example: its bank, what it shows of the responses, and the command as a whole. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode } from "fast-png";
import { createEngine } from "test-engine";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createEngine as createCpuEngine, type Engine } from "webgpu-conv";
import { activationMap } from "../../examples/filters/activationMap.js";
import { parseArguments, UsageError } from "../../examples/filters/arguments.js";
import { run } from "../../examples/filters/command.js";
import { contactSheet } from "../../examples/filters/contactSheet.js";
import { bankTensors, type Filter, FILTERS } from "../../examples/filters/filterBank.js";
import { drawText } from "../../examples/filters/font.js";
import { encodePng, type Picture } from "../../examples/filters/pictureFile.js";
import { progressBar } from "../../examples/filters/progressBar.js";
import { runBank } from "../../examples/filters/runBank.js";
import { keptLines } from "../support/keptLines.js";

/** A grey picture whose brightness at a place is `valueAt(x, y)`. */
function greyPicture(width: number, height: number, valueAt: (x: number, y: number) => number): Picture {
  const pixels = width * height;
  const planes = Float32Array.from({ length: 3 * pixels }, (_, i) => {
    return valueAt(i % width, Math.floor((i % pixels) / width));
  });
  return { width, height, planes };
}

const indexOf = (name: string): number => FILTERS.findIndex((filter) => filter.name === name);

/**
 * How far a response may lie from the real-valued one: 75 products and a bias are summed, of weights each rounded once,
 * that is 77 roundings of 2^-24 relatively; magnitudes of a filter's weights sum to at most 8, of pixels to at most 1.
 */
const ROUNDING = 77 * 2 ** -24 * 8;

describe("the bank", () => {
  test("has filters of one extent, by different names", () => {
    expect(new Set(FILTERS.map(({ name }) => name)).size).toBe(FILTERS.length);
    for (const { taps } of FILTERS) expect(taps).toHaveLength(25);
    const { weight, weightShape, bias } = bankTensors(FILTERS);
    expect(weightShape).toEqual([FILTERS.length, 3, 5, 5]);
    expect(weight).toHaveLength(FILTERS.length * 75);
    expect(bias).toHaveLength(FILTERS.length);
  });

  test("spreads taps over the colours, colour by colour", () => {
    const taps = Array.from({ length: 25 }, (_, i) => i + 1);
    const filter: Filter = { name: "ramp", taps, colour: [1, -1, 2], bias: 3, display: "unit" };
    const { weight, bias } = bankTensors([filter]);
    expect([...weight]).toEqual([...taps, ...taps.map((tap) => -tap), ...taps.map((tap) => 2 * tap)]);
    expect([...bias]).toEqual([3]);
  });

  // A flat picture of value v gives v times the sum of the taps, plus the bias.
  test.each([
    ["sobel-x", 0],
    ["sobel-y", 0],
    ["sobel-rising", 0],
    ["sobel-falling", 0],
    ["laplacian", 0],
    ["sharpen", 0.25],
    ["box-blur", 0.25],
    ["gaussian-blur", 0.25],
    ["emboss", 0.5],
    ["red-green", 0.5],
    ["blue-yellow", 0.5],
  ])("%s of a flat picture of 0.25 is %d away from the edge", async (name, expected) => {
    using engine = await createCpuEngine({ backend: "cpu" });
    const { responses } = await runBank(
      engine,
      greyPicture(5, 5, () => 0.25),
      FILTERS,
    );
    expect(Math.abs(responses[indexOf(name)][12] - expected)).toBeLessThan(ROUNDING);
  });

  test("tells directions apart, on the device", async () => {
    using engine = await createEngine({ poison: true });
    // Brightness rises by 1/16 a pixel to the right: Sobel's x sees 8 steps, its y none.
    const { responses, verdict, elements } = await runBank(
      engine,
      greyPicture(9, 7, (x) => x / 16),
      FILTERS,
    );
    expect(verdict.pass).toBe(true);
    expect(elements).toBe(FILTERS.length * 63);
    const middle = 3 * 9 + 4;
    const expected = { "sobel-x": 0.5, "sobel-y": 0, "sobel-rising": -0.375, "sobel-falling": 0.375 };
    for (const [name, value] of Object.entries(expected)) {
      expect(Math.abs(responses[indexOf(name)][middle] - value), name).toBeLessThan(ROUNDING);
    }
  });
});

describe("an activation map", () => {
  test("by the rule unit shows 0 to 1, and clamps", () => {
    const { data } = activationMap(Float32Array.of(-1, 0, 0.5, 1, 2, 0.2), 3, 2, "unit");
    expect([...data]).toEqual([0, 0, 128, 255, 255, 51]);
  });

  test("by the rule magnitude takes white from the responses that see no padding", () => {
    const responses = new Float32Array(49).fill(0.5);
    responses[0] = 9;
    responses[24] = -2;
    const { data } = activationMap(responses, 7, 7, "magnitude");
    expect([data[0], data[1], data[24], data[25]]).toEqual([255, 64, 255, 64]);
  });

  test("of a picture that is all rim takes white from every response", () => {
    expect([...activationMap(Float32Array.of(1, -4), 2, 1, "magnitude").data]).toEqual([64, 255]);
  });

  test("of nothing is black", () => {
    expect([...activationMap(new Float32Array(4), 2, 2, "magnitude").data]).toEqual([0, 0, 0, 0]);
  });
});

describe("a contact sheet", () => {
  test("has letters for every label", () => {
    for (const { name } of [...FILTERS, { name: "source" }]) {
      const columns = new Set<number>();
      drawText(name, (x) => columns.add(Math.floor(x / 4)));
      expect(columns.size, name).toBe(name.length);
    }
  });

  test("shows pictures of any size, grey or in colour, five in two rows", () => {
    const grey = { width: 1, height: 1, channels: 1 as const, data: Uint8Array.of(200) };
    const colour = { width: 1, height: 1, channels: 3 as const, data: Uint8Array.of(4, 100, 252) };
    const entries = [colour, grey, grey, grey, grey].map((bitmap) => ({ label: "i", bitmap }));
    const { width, height, data } = contactSheet(entries);
    const pixels = Array.from({ length: width * height }, (_, i) => [...data.subarray(3 * i, 3 * i + 3)].join());
    expect(pixels.filter((pixel) => pixel === "4,100,252")).toHaveLength(1);
    expect(pixels.filter((pixel) => pixel === "200,200,200")).toHaveLength(4);
  });

  test("makes large pictures smaller by a mean", () => {
    const data = Uint8Array.from({ length: 401 * 2 }, (_, i) => (i % 2 ? 0 : 96));
    const sheet = contactSheet([{ label: "", bitmap: { width: 401, height: 2, channels: 1, data } }]);
    // 401 wide at a third: blocks of 3 x 2 hold three of either value, since a row has an odd number.
    expect(sheet.data.filter((value) => value === 48).length).toBeGreaterThanOrEqual(3 * 133);
  });
});

describe("the progress bar", () => {
  const written = (isTTY: boolean, steps: readonly number[]): string => {
    const texts: string[] = [];
    const show = progressBar("filtering", { isTTY, write: (text) => texts.push(text) });
    for (const done of steps) show({ done, total: 200 });
    return texts.join("");
  };

  test("is a line for each tenth", () => {
    expect(written(false, [0, 10, 30, 35, 120, 199, 200])).toBe(
      [5, 15, 60, 99, 100].map((percent) => `filtering ${String(percent).padStart(3)} %\n`).join(""),
    );
  });

  test("is drawn over on a terminal", () => {
    const [first, last] = [`[${"#".repeat(10)}${" ".repeat(30)}]  25 %`, `[${"#".repeat(40)}] 100 %\n`];
    expect(written(true, [0, 50, 51, 200])).toBe(`\rfiltering ${first}\rfiltering ${last}`);
  });

  test("does not show what is done at once", () => expect(written(true, [0, 200])).toBe(""));
});

describe("a large picture", () => {
  const [width, height] = [1201, 1000];
  const picture = greyPicture(width, height, (x, y) => ((x * 7 + y * 13) % 64) / 64);
  const [filter] = FILTERS;
  const makeCpuEngine = (): Promise<Engine> => createCpuEngine({ backend: "cpu" });
  afterEach(() => vi.restoreAllMocks());

  test("is verified in bands that are spread over it, and a wrong value in one of them is found", async () => {
    using engine = await makeCpuEngine();
    const verified: number[] = [];
    const { verdict, elements, responses } = await runBank(engine, picture, [filter], {
      onVerified: ({ done, total }) => void verified.push(done / total),
    });
    expect(verdict.pass).toBe(true);
    expect(elements).toBeGreaterThan(2 ** 19);
    expect(elements).toBeLessThan(width * height);
    expect(verified[0]).toBe(0);
    expect(verified.at(-1)).toBe(1);
    // The last band is among them.
    const last = width * height - 1;
    const wrong = Float32Array.from(responses[0]);
    wrong[last] += 1;
    const data = vi.fn(() => Promise.resolve(wrong));
    const conv2d = engine.conv2d.bind(engine);
    vi.spyOn(engine, "conv2d").mockImplementation((...parameters) => {
      const y = conv2d(...parameters);
      vi.spyOn(y, "data").mockImplementation(data);
      return y;
    });
    expect((await runBank(engine, picture, [filter])).verdict.pass).toBe(false);
  });

  test("is given up when the signal says so", async () => {
    using engine = await makeCpuEngine();
    const controller = new AbortController();
    const onVerified = (): void => controller.abort(new RangeError("enough"));
    await expect(runBank(engine, picture, [filter], { signal: controller.signal, onVerified })).rejects.toThrow(
      "enough",
    );
  });
});

describe("the command", () => {
  let folder: string;
  let lines: string[];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "filters-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeEach(() => {
    lines = keptLines();
  });
  afterEach(() => vi.restoreAllMocks());

  const smallPng = (): string => {
    const file = join(folder, "small.png");
    const data = Uint8Array.from({ length: 6 * 4 * 3 }, (_, i) => (i * 37) % 256);
    writeFileSync(file, encodePng({ width: 6, height: 4, channels: 3, data }));
    return file;
  };

  test("takes nothing, a picture, or a picture and a folder", () => {
    expect(parseArguments([])).toEqual({ photo: undefined, out: "out/filters" });
    expect(parseArguments(["a.png"])).toEqual({ photo: "a.png", out: "out/filters" });
    expect(parseArguments(["a.png", "b/"])).toEqual({ photo: "a.png", out: "b/" });
    for (const words of [["a", "b", "c"], ["--what"], [""]]) expect(() => parseArguments(words)).toThrow(UsageError);
  });

  test("writes a map for each filter and a sheet, and says what it found", async () => {
    const out = join(folder, "new", "folder");
    expect(await run([smallPng(), out], createEngine)).toBe(0);
    expect(readdirSync(out).sort()).toEqual([...FILTERS.map(({ name }) => `${name}.png`), "sheet.png"].sort());
    for (const { name } of FILTERS) {
      const map = decode(readFileSync(join(out, `${name}.png`)));
      expect([map.width, map.height, map.channels, map.depth]).toEqual([6, 4, 1, 8]);
    }
    const text = lines.join("\n");
    expect(text).toMatch(/6 x 4/);
    expect(text).toMatch(/\d ms on the device/);
    expect(text).toMatch(/verified 264 values .* largest error .* of .*: pass/);
  });

  test("exits with 1 when the result is wrong", async () => {
    const engineWithoutBias = async () => {
      const engine = await createCpuEngine({ backend: "cpu" });
      const conv2d = engine.conv2d.bind(engine);
      vi.spyOn(engine, "conv2d").mockImplementation((x, w) => conv2d(x, w, { padding: "same" }));
      return engine;
    };
    expect(await run([smallPng(), join(folder, "wrong")], engineWithoutBias)).toBe(1);
    expect(lines.join("\n")).toMatch(/FAIL/);
  });

  test.each<[words: string[], message: RegExp]>([
    [["a", "b", "c"], /^UsageError: got 3 arguments, a b c; expected at most 2.*\nusage:/s],
    [["missing.png"], /^PictureError: cannot read missing.png: there is no such file$/],
    [["package.json"], /^PictureError: package.json is not a PNG file/],
    [["docs/filters.png", "package.json"], /cannot make the folder package.json: it is a file, not a folder$/],
  ])("exits with 2 for %j, before it looks for a device", async (words, message) => {
    const noEngine = () => Promise.reject(new Error("asked for an engine"));
    expect(await run(words, noEngine)).toBe(2);
    expect(lines.filter((line) => !line.startsWith("picture")).join("\n")).toMatch(message);
  });
});
