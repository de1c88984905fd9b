/** The filters example: pictures read from PNG files of every kind, and the one that it paints itself. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode, type DecodedPng, encode, type ImageData } from "fast-png";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Picture,
  PictureError,
  readPicture,
  shrink,
  toBitmap,
  toPicture,
} from "../../examples/filters/pictureFile.js";
import { HEIGHT, paintScene, WIDTH } from "../../examples/filters/scene.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "pictures-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const fileOf = (bytes: Uint8Array): string => {
  const file = join(folder, "picture.png");
  writeFileSync(file, bytes);
  return file;
};
const readBack = async (image: ImageData): Promise<Picture> => await readPicture(fileOf(encode(image)));

/** Colours pixel by pixel, in 255ths. */
const coloursOf = ({ width, height, planes }: Picture): number[][] => {
  const pixels = width * height;
  return Array.from({ length: pixels }, (_, i) => [0, 1, 2].map((plane) => 255 * planes[plane * pixels + i]));
};

/** Values in 255ths pass through float32 fractions: 2 roundings of at most 2^-24 of 255. */
const TOLERANCE = 2 * 2 ** -24 * 255;

function expectColours(picture: Picture, expected: readonly (readonly number[])[]): void {
  const flat = coloursOf(picture).flat();
  expect(flat).toHaveLength(3 * expected.length);
  for (const [i, value] of expected.flat().entries()) expect(Math.abs(flat[i] - value)).toBeLessThanOrEqual(TOLERANCE);
}

const gradient = (length: number, step: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * step) % 256);

describe("a PNG file", () => {
  test("in RGB, 8 bits, pixel by pixel to plane by plane", async () => {
    const picture = await readBack({ width: 2, height: 1, channels: 3, data: Uint8Array.of(255, 0, 51, 1, 2, 3) });
    expect([picture.width, picture.height]).toEqual([2, 1]);
    expectColours(picture, [
      [255, 0, 51],
      [1, 2, 3],
    ]);
  });

  test("in grey, 8 bits", async () => {
    expectColours(await readBack({ width: 1, height: 2, channels: 1, data: Uint8Array.of(7, 200) }), [
      [7, 7, 7],
      [200, 200, 200],
    ]);
  });

  test("in grey with alpha and in RGBA, over white", async () => {
    expectColours(await readBack({ width: 2, height: 1, channels: 2, data: Uint8Array.of(0, 255, 0, 51) }), [
      [0, 0, 0],
      [204, 204, 204],
    ]);
    expectColours(await readBack({ width: 2, height: 1, channels: 4, data: Uint8Array.of(9, 8, 7, 0, 9, 8, 7, 255) }), [
      [255, 255, 255],
      [9, 8, 7],
    ]);
  });

  test("in 16 bits", async () => {
    const data = Uint16Array.of(65535, 257 * 12, 0);
    expectColours(await readBack({ width: 1, height: 1, channels: 3, depth: 16, data }), [[255, 12, 0]]);
  });

  test("of the same pixels reads alike in 8 and 16 bits", async () => {
    const bytes = gradient(7 * 5 * 3, 11);
    const wide = Uint16Array.from(bytes, (value) => 257 * value);
    const eight = await readBack({ width: 7, height: 5, channels: 3, data: bytes });
    const sixteen = await readBack({ width: 7, height: 5, channels: 3, depth: 16, data: wide });
    expect(sixteen.planes).toEqual(eight.planes);
  });
});

describe("a decoded PNG", () => {
  const decoded = (part: Partial<DecodedPng>): DecodedPng => {
    return { width: 3, height: 2, channels: 1, depth: 8, data: new Uint8Array(6), text: {}, ...part };
  };

  test.each([
    [1, [0b10100000, 0b01000000], 255],
    [2, [0b11001100, 0b00110000], 85],
    [4, [0xf0, 0xf0, 0x0f, 0x00], 17],
  ] as const)("with %d bits a sample, packed row by row", (depth, bytes, step) => {
    const most = 255 / step;
    const picture = toPicture(decoded({ depth, data: Uint8Array.from(bytes) }));
    const expected = [most, 0, most, 0, most, 0].map((sample) => [sample * step, sample * step, sample * step]);
    expectColours(picture, expected);
  });

  test("with a palette, transparent entries over white", () => {
    const palette = [
      [10, 20, 30],
      [40, 50, 60, 0],
      [70, 80, 90, 255],
    ];
    const picture = toPicture(decoded({ width: 3, height: 1, depth: 2, data: Uint8Array.of(0b00011000), palette }));
    expectColours(picture, [
      [10, 20, 30],
      [255, 255, 255],
      [70, 80, 90],
    ]);
  });

  test("that names a colour beyond its palette", () => {
    const png = decoded({ data: Uint8Array.of(0, 0, 0, 0, 0, 5), palette: [[1, 2, 3]] });
    expect(() => toPicture(png)).toThrow(PictureError);
  });

  test("with one colour that counts as transparent", () => {
    const data = Uint8Array.of(1, 2, 3, 1, 2, 4);
    const transparency = Uint16Array.of(1, 2, 3);
    expectColours(toPicture(decoded({ width: 2, height: 1, channels: 3, data, transparency })), [
      [255, 255, 255],
      [1, 2, 4],
    ]);
  });
});

describe("what is not a picture", () => {
  test.each<[string, () => string, RegExp]>([
    ["a missing file", () => join(folder, "none.png"), /there is no such file$/],
    ["a folder", () => folder, /it is a folder$/],
    ["an empty file", () => fileOf(new Uint8Array(0)), /is not a PNG file/],
    ["text", () => fileOf(new TextEncoder().encode("<svg/>")), /is not a PNG file/],
    [
      "half a PNG",
      () => fileOf(encode({ width: 9, height: 9, channels: 1, data: gradient(81, 7) }).slice(0, 50)),
      /damaged/,
    ],
  ])("%s is a PictureError", async (_, file, message) => {
    const failure = readPicture(file());
    await expect(failure).rejects.toThrow(PictureError);
    await expect(failure).rejects.toThrow(message);
  });

  test("a flipped bit is found by its checksum", async () => {
    const bytes = encode({ width: 9, height: 9, channels: 1, data: gradient(81, 7) });
    bytes[60] ^= 1;
    await expect(readPicture(fileOf(bytes))).rejects.toThrow(/damaged/);
  });
});

describe("shrinking", () => {
  test("takes means and drops a partial rim", () => {
    const bytes = Uint8Array.of(0, 2, 9, 4, 6, 9, 9, 9, 9);
    const grey = toPicture({ width: 3, height: 3, channels: 1, depth: 8, data: bytes, text: {} });
    const small = shrink(grey, 2);
    expect([small.width, small.height]).toEqual([1, 1]);
    expectColours(small, [[3, 3, 3]]);
  });

  test("leaves at least one pixel of a narrow picture", () => {
    const grey = toPicture({ width: 4, height: 1, channels: 1, depth: 8, data: Uint8Array.of(0, 4, 8, 8), text: {} });
    expectColours(shrink(grey, 2), [
      [2, 2, 2],
      [8, 8, 8],
    ]);
  });
});

test("the example's own picture is what its script paints", () => {
  const file = readFileSync(join(import.meta.dirname, "../../examples/filters/picture.png"));
  expect(file.length).toBeLessThan(150_000);
  const shipped = decode(file, { checkCrc: true });
  expect([shipped.width, shipped.height, shipped.channels]).toEqual([WIDTH, HEIGHT, 3]);
  const painted = paintScene();
  expect(Buffer.compare(Buffer.from(shipped.data), Buffer.from(painted.data))).toBe(0);
  expect(toBitmap(toPicture(shipped)).data).toEqual(painted.data);
});
