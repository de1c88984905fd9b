/** The example that makes pictures larger: its file, its rows, and the packages' own pictures where they are installed. */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { decode } from "fast-png";
import { createEngine } from "test-engine";
import { disposeModule, layers, Random, setTraining } from "webgpu-conv/nn";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readPicture } from "../../examples/filters/pictureFile.js";
import { loadNetwork, SAMPLES } from "../../examples/upscale/network.js";
import { besideBicubic, middleOf } from "../../examples/upscale/photo.js";
import { PngWriter, writePng } from "../../examples/upscale/pngWriter.js";
import { upscale } from "../../examples/upscale/upscale.js";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "webgpu-conv-upscale-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const noise = (count: number): Uint8Array => Uint8Array.from({ length: count }, (_, i) => (i * i * 31 + i * 7) % 251);

describe("the middle of a picture", () => {
  /** Each value tells where it is. */
  const picture = {
    width: 5,
    height: 4,
    planes: Float32Array.from({ length: 60 }, (_, i) => i / 255),
  };

  test("is a square, whose extent is within the picture", () => {
    const { width, height, planes } = middleOf(picture, 2);
    expect([width, height]).toEqual([2, 2]);
    const corner = [6, 7, 11, 12];
    const expected = [0, 20, 40].flatMap((plane) => corner.map((i) => plane + i));
    expect(Array.from(planes, (value) => Math.round(value * 255))).toEqual(expected);
    expect(middleOf(picture, 4).width).toBe(4);
    expect(() => middleOf(picture, 5)).toThrow("the picture has 5 x 4 pixels; expected --middle within them");
  });

  test("stands enlarged by bicubic interpolation beside what the network made", () => {
    const flat = {
      width: 3,
      height: 3,
      planes: Float32Array.from({ length: 27 }, (_, i) => (50 * Math.floor(i / 9)) / 255),
    };
    const larger = new Uint8Array(12 * 12 * 3).fill(7);
    const { width, height, data } = besideBicubic(flat, larger, 4);
    expect([width, height]).toEqual([28, 12]);
    const at = (x: number, y: number): number[] => [...data.subarray(3 * (y * 28 + x), 3 * (y * 28 + x) + 3)];
    for (const y of [0, 6, 11]) {
      for (const x of [0, 5, 11])
        expect([at(x, y), at(x + 16, y)]).toEqual([
          [0, 50, 100],
          [7, 7, 7],
        ]);
      expect(at(13, y)).toEqual([255, 255, 255]);
    }
  });
});

describe("a PNG written row by row", () => {
  test("is what a decoder reads", async () => {
    const [width, height] = [37, 50];
    const pixels = noise(3 * width * height);
    const file = join(folder, "noise.png");
    const png = new PngWriter(file, width, height);
    const row = 3 * width;
    for (const [from, to] of [
      [0, 1],
      [1, 20],
      [20, 50],
    ])
      await png.writeRows(pixels.subarray(from * row, to * row));
    await png.end();
    const read = decode(await readFile(file), { checkCrc: true });
    expect([read.width, read.height, read.channels, read.depth]).toEqual([width, height, 3, 8]);
    expect(read.data).toEqual(pixels);
  });

  test("has all rows and no more", async () => {
    const png = new PngWriter(join(folder, "few.png"), 2, 2);
    await expect(png.writeRows(noise(5))).rejects.toThrow("5 bytes after row 0 of 2; expected whole rows of 6 bytes");
    await png.writeRows(noise(6));
    await expect(png.end()).rejects.toThrow("1 of 2 rows were written");
    await expect(png.writeRows(noise(12))).rejects.toThrow("12 bytes after row 1 of 2");
    await png.abandon();
  });

  test("tells whoever writes that its folder is not there", async () => {
    const png = new PngWriter(join(folder, "none", "a.png"), 1, 1);
    await png.writeRows(noise(3));
    await expect(png.end()).rejects.toThrow("ENOENT");
  });

  // Not every system has a device without room.
  const failures = [["ENOENT", join("none", "a.png")], ...(existsSync("/dev/full") ? [["ENOSPC", "/dev/full"]] : [])];
  test.each(failures)("tells of %s before all rows are written", async (code, file) => {
    const png = new PngWriter(resolve(folder, file), 1, 1000);
    const writing = async (): Promise<void> => {
      for (let row = 0; row < 1000; row++) {
        await png.writeRows(noise(3));
        await setTimeout(1);
      }
    };
    await expect(writing()).rejects.toThrow(code);
    await png.abandon();
  });

  test("takes the place of a file once it is whole", async () => {
    const file = join(folder, "photo.png");
    await writeFile(file, "a photo");
    await writePng(file, 1, 1, async (png) => {
      await png.writeRows(noise(3));
      expect(await readFile(file, "utf8")).toBe("a photo");
    });
    expect(decode(await readFile(file)).data).toEqual(noise(3));
    expect(await readdir(folder)).toEqual(["photo.png"]);
  });

  test("leaves a file as it was where it does not become whole", async () => {
    const file = join(folder, "photo.png");
    await writeFile(file, "a photo");
    const cancelled = async (png: PngWriter): Promise<void> => {
      await png.writeRows(noise(3));
      throw new Error("cancelled");
    };
    await expect(writePng(file, 1, 2, cancelled)).rejects.toThrow("cancelled");
    await expect(writePng(file, 1, 2, (png) => png.writeRows(noise(3)))).rejects.toThrow("1 of 2 rows were written");
    await expect(writePng(folder, 1, 1, cancelled)).rejects.toThrow("is there and no file; expected one");
    expect(await readdir(folder)).toEqual(["photo.png"]);
    expect(await readFile(file, "utf8")).toBe("a photo");
  });
});

test("tiles side by side become rows", async () => {
  using engine = await createEngine({ backend: "cpu" });
  const init = { engine, random: new Random(1) };
  const layout = "channels-last";
  const network = layers.sequential([
    layers.upsample({ scaleFactor: 2, mode: "nearest", layout }),
    layers.conv2d(init, 3, 3, { kernel: 1, bias: false, layout }),
  ]);
  setTraining(network, false);
  const identity = Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);
  await engine.write(network.children["1"].parameters.weight, identity);
  const [width, height] = [11, 9];
  const bytes = noise(3 * width * height);
  const planes = Float32Array.from({ length: bytes.length }, (_, i) => {
    return bytes[3 * (i % (width * height)) + Math.floor(i / (width * height))] / 255;
  });
  const rows: number[] = [];
  const writeRows = (pixels: Uint8Array): void => void rows.push(...pixels);
  for (const maxBytes of [2 ** 20, 5000]) {
    rows.length = 0;
    const { tiles } = await upscale(network, { width, height, planes }, { scale: 2, maxBytes, writeRows });
    expect(tiles > 1).toBe(maxBytes === 5000);
    const expected = Array.from({ length: 12 * width * height }, (_, i) => {
      const [channel, x, y] = [i % 3, Math.floor(i / 3) % (2 * width), Math.floor(i / (6 * width))];
      return bytes[3 * ((y >> 1) * width + (x >> 1)) + channel];
    });
    expect(rows).toEqual(expected);
  }
  disposeModule(network);
});

for (const scale of [2, 4] as const) {
  const { source, result } = SAMPLES[scale];
  const isThere = existsSync(source);
  if (!isThere)
    console.warn(`NOT TESTED: the package's own picture at scale ${String(scale)}, ${source} is not installed`);
  test.skipIf(!isThere)(`the package's own picture at scale ${String(scale)}`, { timeout: 120_000 }, async () => {
    using engine = await createEngine();
    const network = await loadNetwork(engine, scale);
    const picture = await readPicture(source);
    const rows: Uint8Array[] = [];
    await upscale(network, picture, { scale, writeRows: (pixels) => void rows.push(pixels) });
    const expected = decode(await readFile(result));
    const got = Buffer.concat(rows);
    const differences = Array.from(got, (value, i) => {
      const pixel = Math.floor(i / 3);
      return Math.abs(value - expected.data[pixel * expected.channels + (i % 3)]);
    });
    expect(got).toHaveLength(3 * expected.width * expected.height);
    // The package's picture was rounded, too: where a value lies between two integers, the last bits decide.
    expect(differences.filter((difference) => difference > 1)).toEqual([]);
    expect(differences.reduce((sum, difference) => sum + difference, 0) / differences.length).toBeLessThan(0.3);
    disposeModule(network);
  });
}
