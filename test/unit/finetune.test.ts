/** The example that fine-tunes: sizes of photographs, quality, and the command on a small network and generated pictures. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode } from "fast-png";
import { createEngine } from "test-engine";
import { floatValues, readSafetensors } from "webgpu-conv/io";
import { disposeModule, explainNetwork, saveState, stateOf } from "webgpu-conv/nn";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { encodePng } from "../../examples/filters/pictureFile.js";
import { parseArguments } from "../../examples/finetune/arguments.js";
import { run } from "../../examples/finetune/command.js";
import { PACKAGES, readNetwork, readPhotographs } from "../../examples/finetune/materials.js";
import { pairOf, spreadPatches } from "../../examples/finetune/pairs.js";
import { CHANNELS, crop, FACTOR, type Photograph, resize } from "../../examples/finetune/photograph.js";
import { enlarge, enlargeBicubic, psnr } from "../../examples/finetune/quality.js";
import { fineTune } from "../../examples/finetune/training.js";
import { KerasModel, textBytes } from "../support/io/kerasModel.js";
import { keptLines } from "../support/keptLines.js";

/** A picture whose values at a place are `valueAt(x, y, channel)`. */
function photograph(
  width: number,
  height: number,
  valueAt: (x: number, y: number, channel: number) => number,
): Photograph {
  const values = Float32Array.from({ length: width * height * CHANNELS }, (_, i) => {
    const pixel = Math.floor(i / CHANNELS);
    return Math.round(valueAt(pixel % width, Math.floor(pixel / width), i % CHANNELS));
  });
  return { name: "generated", width, height, values };
}

const valueOf = ({ width, values }: Photograph, x: number, y: number, channel: number): number =>
  values[(y * width + x) * CHANNELS + channel];

describe("a photograph of another size", () => {
  test("has the same value where all are the same", () => {
    const flat = photograph(12, 8, (_x, _y, channel) => 50 + 60 * channel);
    for (const [width, height] of [
      [3, 2],
      [48, 32],
      [5, 7],
    ]) {
      const resized = resize(flat, width, height);
      expect([resized.width, resized.height]).toEqual([width, height]);
      expect([...resized.values]).toEqual([
        ...photograph(width, height, (_x, _y, channel) => 50 + 60 * channel).values,
      ]);
    }
  });

  test("keeps a slope, away from the borders, where its pixels' centres lie", () => {
    const slope = photograph(32, 32, (x, y, channel) => 8 * x - 16 + 4 * channel + 0 * y);
    const [small, large] = [
      resize(slope, 8, 8),
      resize(
        photograph(8, 8, (x) => 20 * x + 40),
        32,
        32,
      ),
    ];
    // Beyond 0 and 255 values are cut off, and the kernel is 16 wide.
    for (const x of [3, 4]) expect(valueOf(small, x, 4, 1)).toBe(8 * (4 * x + 1.5) - 12);
    for (const x of [12, 15, 18]) expect(valueOf(large, x, 16, 0)).toBe(Math.round(20 * ((x + 0.5) / 4 - 0.5) + 40));
  });

  test("has no pattern that is too fine for it", () => {
    const stripes = photograph(64, 64, (x) => (x % 2 === 0 ? 0 : 200));
    const small = resize(stripes, 16, 16);
    for (let x = 3; x < 13; x++) expect(Math.abs(valueOf(small, x, 8, 0) - 100)).toBeLessThanOrEqual(1);
  });

  test("overshoots at an edge, as cubic interpolation does, within 0 and 255", () => {
    const edge = (low: number, high: number): Photograph =>
      resize(
        photograph(8, 8, (x) => (x < 4 ? low : high)),
        32,
        32,
      );
    const row = ({ values }: Photograph): Float32Array => values.subarray(0, 32 * CHANNELS);
    expect(Math.max(...row(edge(50, 150)))).toBeGreaterThan(150);
    expect(Math.min(...row(edge(0, 255)))).toBe(0);
    expect(Math.max(...row(edge(0, 255)))).toBe(255);
  });
});

describe("patches", () => {
  const pair = pairOf(photograph(70, 53, (x, y, channel) => (3 * x + 5 * y + 7 * channel) % 256));

  test("are of a photograph without what is beyond a multiple of the factor", () => {
    expect([pair.large.width, pair.large.height, pair.small.width, pair.small.height]).toEqual([68, 52, 17, 13]);
    expect(valueOf(pair.large, 67, 51, 2)).toBe((3 * 67 + 5 * 51 + 14) % 256);
  });

  test("lie at the same place in both sizes, spread over the photograph", () => {
    const patches = spreadPatches(pair, 5, 2);
    // (17 - 5) and (13 - 5), a quarter and three quarters of each.
    const places = [2, 6].flatMap((top) => [3, 9].map((left) => [left, top] as const));
    expect(patches).toHaveLength(4);
    for (const [i, [left, top]] of places.entries()) {
      expect(patches[i].small).toEqual(crop(pair.small, left, top, 5, 5));
      expect(patches[i].large).toEqual(crop(pair.large, left * FACTOR, top * FACTOR, 20, 20));
    }
  });

  test("have a quality by what a file keeps of their values", () => {
    const [patch] = spreadPatches(pair, 5, 1);
    const off = patch.large.values.map((value) => (value < 128 ? value + 1.4 : value - 1.4));
    expect(psnr(off, [patch])).toBeCloseTo(20 * Math.log10(255), 10);
    expect(psnr(patch.large.values, [patch])).toBe(Infinity);
    expect(
      psnr(
        patch.large.values.map(() => NaN),
        [patch],
      ),
    ).toBeNaN();
  });
});

describe("the command", () => {
  let folder: string;
  let lines: string[];
  let given: string[];
  /** Those of the test's own process. */
  const listeners = process.listenerCount("SIGINT");

  /** A layers model that copies each pixel four times along each side, but for small numbers that are drawn. */
  function writeModel(): string {
    const keras = new KerasModel(3)
      .add("Conv2D", "first", ["in"], { padding: "same" }, { kernel: [3, 3, 3, 6], bias: [6] })
      .add("Activation", "act", ["first"], { activation: "relu" })
      .add("UpSampling2D", "up", ["act"], { size: [4, 4], interpolation: "nearest" })
      .add("Conv2D", "last", ["up"], { padding: "same" }, { kernel: [3, 3, 6, 3], bias: [3] });
    for (const { values } of keras.weights) values.forEach((value, i) => (values[i] = 0.02 * value));
    const [first, last] = [keras.weight("first/kernel"), keras.weight("last/kernel")];
    for (let channel = 0; channel < CHANNELS; channel++) {
      first[4 * 3 * 6 + channel * 6 + channel] = 1;
      last[4 * 6 * 3 + channel * 3 + channel] = 1;
    }
    const bytes = keras.bytes();
    writeFileSync(join(folder, "model.json"), textBytes(keras.json(["last"])));
    writeFileSync(join(folder, "a.bin"), bytes.subarray(0, 100));
    writeFileSync(join(folder, "b.bin"), bytes.subarray(100));
    return join(folder, "model.json");
  }

  function writePhotographs(name: string, count: number, extent: number): string {
    const path = join(folder, name);
    mkdirSync(path);
    for (let i = 0; i < count; i++) {
      const { values } = photograph(extent, extent, (x, y, channel) => {
        const inside = Math.hypot(x - 20 - 4 * i, y - 30) < 14 ? 40 : 0;
        return 110 + inside + 50 * Math.sin((x + 3 * i) / 4 + channel) * Math.cos(y / (5 + i));
      });
      const png = encodePng({ width: extent, height: extent, channels: 3, data: Uint8Array.from(values) });
      writeFileSync(join(path, `${String(i)}.png`), png);
    }
    return path;
  }

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "finetune-"));
    given = [
      "--model",
      writeModel(),
      "--photos",
      writePhotographs("photographs", 3, 64),
      "--patch",
      "8",
      "--batch",
      "2",
    ];
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeEach(() => {
    lines = keptLines({ bars: true });
  });
  afterEach(() => vi.restoreAllMocks());

  /** Rows of the table whose first column has this title, as numbers. */
  function tableOf(title: string): number[][] {
    const rows = lines.join("\n").split("\n");
    const start = rows.findIndex((row) => row.startsWith(title)) + 1;
    expect(start).toBeGreaterThan(0);
    return rows.slice(start, rows.indexOf("", start)).map((row) => row.trim().split(/\s+/).map(Number));
  }

  test("trains: the loss falls, held-out patches come nearer, and weights are read again bit for bit", async () => {
    const out = join(folder, "new", "weights.safetensors");
    const picture = join(folder, "pictures", "patches.png");
    const words = ["--steps", "20", "--every", "5", "--lr", "1e-2", "--out", out, "--picture", picture];
    expect(await run([...given, ...words], createEngine), lines.join("\n")).toBe(0);
    const text = lines.join("\n");
    expect(text).toMatch(/^network {2}\d+ weights/m);
    expect(text).toMatch(/^learns {3}0.png \(64 x 64\), 1.png \(64 x 64\)\nheld out 2.png \(64 x 64\)$/m);
    expect(text).toMatch(/: read again, it enlarges with the same bits$/m);
    const checks = tableOf("steps ");
    expect(checks.map(([steps]) => steps)).toEqual([0, 5, 10, 15, 20]);
    // The first row has no loss.
    const [[, learned, heldOut, bicubic], ...rows] = checks;
    const [first, last] = [rows[0], rows[rows.length - 1]];
    expect(last[1]).toBeLessThan(first[1]);
    expect(last[2]).toBeGreaterThan(learned);
    expect(last[3]).toBeGreaterThan(heldOut);
    for (const row of rows) expect(row[4]).toBe(bicubic);
    expect(tableOf("held out  ")).toEqual([[NaN, bicubic, heldOut, last[3]]]);

    // A patch of 32 x 32, four ways, 4 pixels apart. The last is the photograph itself; the others are not.
    const shown = decode(readFileSync(picture));
    expect([shown.width, shown.height]).toEqual([140, 32]);
    const [whole] = (await readPhotographs(given[3])).slice(-1).map(pairOf);
    const patches = spreadPatches(whole, 8, 4);
    const patchAt = (column: number): number[] =>
      Array.from({ length: 32 }, (_, y) => {
        const start = (y * 140 + 36 * column) * CHANNELS;
        return [...shown.data.slice(start, start + 32 * CHANNELS)];
      }).flat();
    const patch = patches[10];
    expect(patchAt(3)).toEqual([...patch.large.values]);
    expect(patchAt(0)).toEqual([...enlargeBicubic([patch])]);
    for (const column of [1, 2]) expect(patchAt(column)).not.toEqual(patchAt(3 - column));

    // What the file has are other values than the model's, under its names.
    using engine = await createEngine();
    const model = await readNetwork(engine, given[1]);
    const { tensors } = await readSafetensors(readFileSync(out));
    for (const [name, tensor] of Object.entries(stateOf(model))) {
      const stored = tensors.get(name);
      expect(stored?.shape, name).toEqual(tensor.shape);
      expect(stored && floatValues(stored), name).not.toEqual(await tensor.data());
    }
    expect(tensors.size).toBe(Object.keys(stateOf(model)).length);
    disposeModule(model);
  });

  test("draws by the seed, and gives the same numbers each time", async () => {
    using engine = await createEngine();
    const pairs = (await readPhotographs(given[3])).map(pairOf);
    const train = async (seed: number): Promise<{ losses: number[]; file: Uint8Array }> => {
      const network = await readNetwork(engine, given[1]);
      const nothing = (): void => undefined;
      const plan = { engine, network, pairs, steps: 3, batch: 2, extent: 8, lr: 1e-3, every: 3 };
      const losses = await fineTune({ ...plan, seed, onCheck: () => Promise.resolve(), onStep: nothing });
      const file = await saveState(network);
      disposeModule(network);
      return { losses, file };
    };
    const first = await train(1);
    expect(first.losses).toHaveLength(3);
    expect(await train(1)).toEqual(first);
    expect((await train(2)).losses).not.toEqual(first.losses);
  });

  test("exits with 1 where held-out patches did not come nearer", async () => {
    const words = ["--steps", "1", "--lr", "1e-30", "--out", join(folder, "same.safetensors")];
    expect(await run([...given, ...words], createEngine)).toBe(1);
    expect(lines.join("\n")).toMatch(/held-out patches are NOT nearer than before/);
  });

  test("Ctrl-C ends it before the next step, with the status of a shell's", async () => {
    const out = join(folder, "interrupted.safetensors");
    const interrupted = run([...given, "--steps", "100000", "--every", "1", "--out", out], createEngine);
    await vi.waitUntil(() => process.listenerCount("SIGINT") > listeners, { timeout: 60_000 });
    process.emit("SIGINT");
    expect(await interrupted).toBe(130);
    expect(lines.join("\n")).toMatch(/interrupted: no weights are written/);
    expect(existsSync(out)).toBe(false);
  });

  test("has defaults, and its help tells them", async () => {
    expect(parseArguments([])).toMatchObject({ steps: 200, batch: 4, patch: 24, lr: 3e-4, seed: 1 });
    vi.spyOn(process.stdout, "write").mockImplementation((text) => lines.push(String(text)) > 0);
    expect(await run(["--help"], createEngine)).toBe(0);
    expect(lines.join("")).toMatch(/--steps <count> +steps of training \(default: 200\)/);
  });

  test.each<[words: string[], message: RegExp]>([
    [["--steps", "0"], /'--steps <count>' argument '0' is invalid. expected an integer of at least 1/],
    [["--lr", "-1"], /'--lr <rate>' argument '-1' is invalid. expected a number above 0/],
    [["--what"], /unknown option '--what'/],
    [["photographs"], /too many arguments/],
    [["--photos", "missing"], /no such file or directory.*missing/],
    [["--photos", "test/unit"], /MaterialError: test\/unit has 0 \.jpg and \.png files; expected at least 2/],
    [["--patch", "17"], /MaterialError: 0.png is 64 x 64; expected at least 68 x 68, a patch/],
    [["--model", "package.json"], /FileError: package.json/],
  ])("exits with 2 for %j", async (words, message) => {
    expect(await run([...given, ...words], createEngine)).toBe(2);
    expect(lines.join("\n")).toMatch(message);
  });
});

const published = existsSync(join(PACKAGES, "node_modules/@upscalerjs/esrgan-slim"));
describe.runIf(published)("what the packages have", () => {
  test("is photographs, and a network that enlarges about as well as bicubic interpolation", async () => {
    const photographs = await readPhotographs();
    expect(photographs).toHaveLength(9);
    for (const { width, height, values } of photographs) expect(values).toHaveLength(width * height * CHANNELS);
    using engine = await createEngine();
    const network = await readNetwork(engine);
    expect(explainNetwork(network, [1, 24, 24, CHANNELS]).weights).toBe(233_451);
    const patches = spreadPatches(pairOf(photographs[0]), 24, 2);
    const difference = psnr(await enlarge(engine, network, patches), patches) - psnr(enlargeBicubic(patches), patches);
    expect(Math.abs(difference)).toBeLessThan(1);
    disposeModule(network);
  });
});
if (!published) {
  const reason = `NOT RUN, the network and photographs are not installed: \`npm run example:finetune\` installs them into ${PACKAGES}`;
  console.warn(reason);
  test(reason, (context) => context.skip(reason));
}
