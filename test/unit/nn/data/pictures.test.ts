/** Pictures as samples: decoded bytes, what a page has, folders in Node. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convertIndexedToRgb, decode, encode } from "fast-png";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { DataLoader, FileError, pictureValues, readPicture } from "webgpu-conv/nn";
import { folderDataset } from "webgpu-conv/nn/node";

const floats = (...values: number[]): Float32Array => Float32Array.from(values);

describe("values of a decoded picture", () => {
  const size = { width: 2, height: 1 };
  test.each([
    ["gray", Uint8Array.of(0, 255), floats(0, 1), floats(0, 1, 0, 1, 0, 1)],
    ["gray and alpha", Uint8Array.of(51, 9, 255, 9), floats(0.2, 1), floats(0.2, 1, 0.2, 1, 0.2, 1)],
    ["RGB", Uint8ClampedArray.of(255, 0, 0, 0, 0, 255), floats(0.299, 0.114), floats(1, 0, 0, 0, 0, 1)],
    ["RGBA", Uint8Array.of(0, 255, 0, 7, 51, 51, 51, 7), floats(0.587, 0.2), floats(0, 0.2, 1, 0.2, 0, 0.2)],
    ["16 bits", Uint16Array.of(0, 65535), floats(0, 1), floats(0, 1, 0, 1, 0, 1)],
  ])("of %s", (_, data, gray, colours) => {
    expect(pictureValues({ ...size, data }, 1)).toEqual({ x: gray, shape: [1, 1, 2] });
    expect(pictureValues({ ...size, data }, 3)).toEqual({ x: colours, shape: [3, 1, 2] });
  });

  test("are no places in a palette", () => {
    const data = Uint8Array.of(0, 1, 2, 2, 1, 0);
    const palette = [
      [255, 0, 0],
      [0, 255, 0],
      [0, 0, 255],
    ];
    const indexed = decode(encode({ width: 3, height: 2, channels: 1, depth: 8, data, palette }));
    expect(() => pictureValues(indexed, 3)).toThrow("the picture's values are places in a palette; expected colours");
    // As the message says.
    const picture = { ...indexed, palette: undefined, data: convertIndexedToRgb(indexed) };
    expect([...pictureValues(picture, 3).x.subarray(0, 6)]).toEqual([1, 0, 0, 0, 0, 1]);
    const bits = decode(encode({ width: 1, height: 2, channels: 1, depth: 1, data: Uint8Array.of(128, 0) }));
    expect(() => pictureValues(bits, 1)).toThrow("the picture has 1 bits a value; expected 8 or 16");
  });

  test("are of a picture", () => {
    for (const [picture, message] of [
      [undefined, "the picture is undefined; expected { width, height, data }"],
      [{ width: 1, height: 1 }, "the picture's data is undefined; expected a Uint8Array"],
      [{ width: 1, height: 1, data: [1] }, "the picture's data is [1]; expected a Uint8Array"],
    ] as const) {
      expect(() => pictureValues(picture as never, 1)).toThrow(message);
    }
    expect(() => pictureValues({ ...size, data: new Uint8Array(2) }, 2 as never)).toThrow(
      "channels is 2; expected 1 or 3",
    );
  });

  test("fit width and height", () => {
    expect(() => pictureValues({ width: 2, height: 2, data: new Uint8Array(5) }, 1)).toThrow(
      "the picture has 5 values for 2 x 2 pixels; expected 1 to 4 for each",
    );
  });
});

describe("a page's picture", () => {
  const data = Uint8ClampedArray.of(255, 0, 0, 255, 0, 0, 255, 255);

  test("that is ImageData is read as it is", () => {
    expect(readPicture({ data, width: 2, height: 1 })).toEqual({ x: floats(1, 0, 0, 0, 0, 1), shape: [3, 1, 2] });
    expect(readPicture({ data, width: 1, height: 2 }, { channels: 1, size: [2, 1] })).toEqual({
      x: floats(0.299, 0.114),
      shape: [1, 2, 1],
    });
  });

  test("of another kind or size is drawn on a canvas of the size", () => {
    const drawn: unknown[][] = [];
    class Canvas {
      constructor(
        readonly width: number,
        readonly height: number,
      ) {}
      getContext() {
        return {
          drawImage: (...given: unknown[]) => drawn.push(given),
          getImageData: (_x: number, _y: number, width: number, height: number) => ({
            data: new Uint8ClampedArray(4 * width * height).fill(51),
          }),
        };
      }
    }
    vi.stubGlobal("OffscreenCanvas", Canvas);
    const bitmap = { width: 640, height: 480, close: () => undefined };
    const picture = readPicture(bitmap, { channels: 1, size: [3, 4] });
    vi.unstubAllGlobals();
    expect(drawn).toEqual([[bitmap, 0, 0, 4, 3]]);
    expect(picture).toEqual({ x: new Float32Array(12).fill(0.2), shape: [1, 3, 4] });
  });

  test("is refused with its reason where it cannot be one", () => {
    expect(() => readPicture(3 as never)).toThrow("image is 3; expected ImageData, ImageBitmap");
    expect(() => readPicture({ data, width: 2, height: 1 }, { channels: 2 as never })).toThrow(
      "channels is 2; expected 1 or 3",
    );
    expect(() => readPicture({ data, width: 2, height: 1 }, { size: [0, 1] })).toThrow(
      "size is [0, 1]; expected [height, width]",
    );
    expect(() => readPicture({ data, width: 2, height: 1 }, { size: 28 as never })).toThrow(
      "size is 28; expected [height, width]",
    );
    expect(() => readPicture({ data, width: 2, height: 1 }, { size: [5, 5] })).toThrow(
      "there is no OffscreenCanvas here",
    );
  });
});

describe("a folder", () => {
  let folder = "";
  /** A gray PNG of one shade. */
  const png = (shade: number, width = 3): Uint8Array =>
    encode({ width, height: 2, channels: 1, depth: 8, data: new Uint8Array(width * 2).fill(shade) });
  const put = (path: string, bytes: Uint8Array): void => {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "webgpu-conv-folder-"));
    put("good/dog/b.png", png(20));
    put("good/dog/a.png", png(10));
    put("good/cat/z.png", png(30));
    put("good/cat/.hidden", png(1));
    put("good/notes.txt", new Uint8Array(3));
    put("odd/cat/a.png", png(1));
    put("odd/cat/b.png", png(1, 4));
    put("odd/cat/c.png", png(1).subarray(0, 30));
    put("bare/file.png", png(1));
    mkdirSync(join(folder, "empty/cat"), { recursive: true });
    put("linked/dog/inner/a.png", png(2));
    put("linked/dog/b.png", png(40));
    symlinkSync(join(folder, "good/cat"), join(folder, "linked/cat"));
    symlinkSync(join(folder, "good/dog/a.png"), join(folder, "linked/dog/a.png"));
    put("dangling/cat/a.png", png(1));
    symlinkSync(join(folder, "absent"), join(folder, "dangling/dog"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("is classes of pictures in the order of names, for a loader", async () => {
    const dataset = await folderDataset(join(folder, "good"), { decode, channels: 1 });
    expect(dataset).toMatchObject({ size: 3, shape: [1, 2, 3], classes: ["cat", "dog"] });
    const loader = new DataLoader(dataset, { batchSize: 3, shuffle: false });
    for await (const { x, labels } of loader) {
      expect([...labels]).toEqual([0, 1, 1]);
      expect([x[0], x[6], x[12]]).toEqual([...floats(30 / 255, 10 / 255, 20 / 255)]);
    }
    const filtered = await folderDataset(join(folder, "good"), { decode, filter: (name) => name !== "b.png" });
    expect(filtered).toMatchObject({ size: 2, shape: [3, 2, 3] });
  });

  test("has what links lead to, and nothing of folders within its classes", async () => {
    const dataset = await folderDataset(join(folder, "linked"), { decode, channels: 1 });
    expect(dataset).toMatchObject({ size: 3, classes: ["cat", "dog"] });
    const samples = await Promise.all([0, 1, 2].map(async (index) => await dataset.get(index)));
    expect(samples.map(({ x, label }) => [Math.round(255 * x[0]), label])).toEqual([
      [30, 0],
      [10, 1],
      [40, 1],
    ]);
    await expect(folderDataset(join(folder, "dangling"), { decode })).rejects.toThrow(
      /dangling: cannot be listed: Error: ENOENT/,
    );
  });

  test("with a picture that is torn or of another size names it when it is asked for", async () => {
    const dataset = await folderDataset(join(folder, "odd"), { decode });
    await expect(Promise.resolve(dataset.get(1))).rejects.toThrow(
      /b\.png: has 4 x 2 pixels; expected 3 x 2, as .*a\.png has/,
    );
    const error: unknown = await Promise.resolve(dataset.get(2)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(FileError);
    expect((error as FileError).message).toMatch(/c\.png: cannot be read as a picture: /);
    await expect(Promise.resolve(dataset.get(3))).rejects.toThrow("index is 3; expected a whole number from 0 to 2");
  });

  test("without classes or pictures is refused", async () => {
    const from = async (name: string): Promise<unknown> => await folderDataset(join(folder, name), { decode });
    await expect(from("bare")).rejects.toThrow(/bare: has no folders; expected one for each class/);
    await expect(from("empty")).rejects.toThrow(/cat: has no pictures/);
    await expect(from("absent")).rejects.toThrow(/absent: cannot be listed: Error: ENOENT/);
    await expect(folderDataset(folder, {} as never)).rejects.toThrow("decode is undefined; expected a function");
    await expect(folderDataset(folder, { decode, filter: /png$/ as never })).rejects.toThrow(
      "filter is RegExp; expected a function",
    );
  });
});
