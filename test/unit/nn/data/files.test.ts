/** Datasets in files: MNIST's and CIFAR's formats, whole, compressed and in pieces; what is wrong with a file, and where. */
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { cifarDataset, type CifarKind, type Dataset, FileError, idxDataset, Random, type Sample } from "webgpu-conv/nn";

const sampleOf = (dataset: Dataset, index: number): Sample => dataset.get(index) as Sample;
const random = new Random(1);
const anyBytes = (count: number): number[] => Array.from({ length: count }, () => random.below(256));

/** An IDX file of bytes. */
function idx(sizes: readonly number[], bytes: readonly number[], type = 8): Uint8Array<ArrayBuffer> {
  const words = sizes.flatMap((size) => [size >>> 24, (size >>> 16) & 255, (size >>> 8) & 255, size & 255]);
  return Uint8Array.from([0, 0, type, sizes.length, ...words, ...bytes]);
}

/** The bytes in pieces, whose number nobody knows before. */
async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) {
    await Promise.resolve();
    yield bytes.subarray(at, at + size);
  }
}
const compressed = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(gzipSync(bytes));

/** The error of a promise: a FileError. */
async function failure(work: Promise<unknown>): Promise<FileError> {
  const error: unknown = await work.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(FileError);
  return error as FileError;
}

describe("IDX files", () => {
  const PIXELS = anyBytes(3 * 4 * 5);
  const images = idx([3, 4, 5], PIXELS);
  const labels = idx([3], [7, 0, 9]);

  test.each([
    ["buffers", (bytes: Uint8Array<ArrayBuffer>) => bytes.buffer],
    ["Blobs", (bytes: Uint8Array<ArrayBuffer>) => new Blob([bytes])],
    ["streams", (bytes: Uint8Array<ArrayBuffer>) => new Blob([bytes]).stream()],
    ["pieces", (bytes: Uint8Array<ArrayBuffer>) => pieces(bytes, 3)],
    ["compressed buffers", compressed],
    ["compressed pieces", (bytes: Uint8Array<ArrayBuffer>) => pieces(compressed(bytes), 3)],
  ] as const)("from %s become pictures from 0 to 1 and labels", async (_, from) => {
    const dataset = await idxDataset({ images: from(images), labels: { source: from(labels), name: "labels" } });
    expect(dataset).toMatchObject({ size: 3, shape: [1, 4, 5] });
    expect(dataset.classes).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    expect([0, 1, 2].map((index) => sampleOf(dataset, index).label)).toEqual([7, 0, 9]);
    for (const index of [0, 1, 2]) {
      const bytes = PIXELS.slice(20 * index, 20 * index + 20);
      expect(sampleOf(dataset, index).x).toEqual(Float32Array.from(bytes, (byte) => byte / 255));
    }
    expect(() => dataset.get(3)).toThrow("index is 3; expected a whole number from 0 to 2");
  });

  test.each([
    [[0, 0, 8], 3, "images: ends at byte 3, within its magic number"],
    [[0x1f, 0, 8, 3], 0, "images: begins with 1f 00 08 03; expected 00 00 08, an IDX file of bytes"],
    [[...idx([1], [0], 13)], 0, "images: begins with 00 00 0d 01; expected 00 00 08"],
    [[0, 0, 8, 0], 0, "images: begins with 00 00 08 00"],
    [[0, 0, 8, 3, 0, 0], 6, "images: ends at byte 6, within its 3 sizes"],
    [[...images.subarray(0, 40)], 40, "images: ends at byte 40; its header promises 3 images of 4 x 5, 76 bytes"],
    [[...images, 1], 76, "images: goes on at byte 76; its header promises 3 images of 4 x 5, 76 bytes"],
    [[...idx([3, 20], PIXELS)], 4, "images: has sizes [3, 20]; expected [images, height, width]"],
    [[...idx([3, 0, 5], [])], 4, "images: has sizes [3, 0, 5]; expected [images, height, width], from 1 on"],
  ])("like %j are refused at byte %i", async (bytes, offset, message) => {
    for (const source of [
      Uint8Array.from(bytes),
      pieces(Uint8Array.from(bytes), 7),
      compressed(Uint8Array.from(bytes)),
    ]) {
      const error = await failure(idxDataset({ images: source, labels }));
      expect(error.message).toContain(message);
      expect(error.offset).toBe(offset);
    }
  });

  test("that promise more than they hold take no memory for it", async () => {
    const torn = idx([60_000, 28, 28], anyBytes(1000));
    const file = new File([torn], "train-images.idx3-ubyte");
    expect((await failure(idxDataset({ images: file, labels }))).message).toBe(
      "train-images.idx3-ubyte: ends at byte 1,016; its header promises 60,000 images of 28 x 28, 47,040,016 bytes",
    );
    const huge = idx([0xffffffff, 0xffffffff, 0xffffffff], anyBytes(1000));
    expect((await failure(idxDataset({ images: pieces(huge, 100), labels }))).message).toMatch(
      /^images: ends at byte 1,016; /,
    );
    const many = Uint8Array.from([0, 0, 8, 255, ...new Array<number>(255 * 4).fill(255)]);
    expect((await failure(idxDataset({ images: pieces(many, 100), labels }))).message).toMatch(
      /^images: ends at byte 1,024; /,
    );
  });

  test("whose labels do not fit are refused", async () => {
    const wrong = await failure(idxDataset({ images, labels: { source: idx([3], [1, 10, 2]), name: "t10k-labels" } }));
    expect(wrong).toMatchObject({
      message: "t10k-labels: label 1, at byte 9, is 10; expected 0 to 9",
      offset: 9,
      file: "t10k-labels",
    });
    expect((await failure(idxDataset({ images, labels: idx([2], [1, 2]) }))).message).toBe(
      "labels: has 2 labels; images has 3 images",
    );
    expect((await failure(idxDataset({ images, labels: idx([3, 1], [1, 2, 3]) }))).message).toBe(
      "labels: has sizes [3, 1]; expected [labels]",
    );
    const letters = await idxDataset({ images, labels: idx([3], [1, 10, 2]), classes: "abcdefghijk".split("") });
    expect(letters.classes[sampleOf(letters, 1).label]).toBe("k");
    await expect(idxDataset({ images, labels, classes: [] })).rejects.toThrow("classes is []; expected 1 to 256 names");
    const from = async (files: unknown): Promise<unknown> => await idxDataset(files as never);
    await expect(from({ images, labels, classes: null })).rejects.toThrow("classes is null; expected 1 to 256 names");
    await expect(from(undefined)).rejects.toThrow("files is undefined; expected an object with any of images, labels");
    await expect(from({ images, label: labels })).rejects.toThrow("did you mean labels?");
    await expect(from({ labels })).rejects.toThrow("images: its source is undefined; expected an ArrayBuffer");
    // Of a response without a body.
    await expect(from({ images: { source: null, name: "train.gz" }, labels })).rejects.toThrow(
      "train.gz: its source is null; expected an ArrayBuffer",
    );
  });
});

describe("CIFAR's files", () => {
  /** Records with these labels before their pictures; the last file is shorter than what is read at once, the first longer. */
  function records(kind: CifarKind, count: number, label: (i: number) => number): Uint8Array<ArrayBuffer> {
    const heads = kind === "cifar-10" ? 1 : 2;
    const bytes = new Uint8Array(count * (heads + 3072));
    for (let i = 0; i < count; i++) {
      const begin = i * (heads + 3072);
      bytes.fill(i % 256, begin + heads, begin + heads + 1024);
      bytes.fill((i + 1) % 256, begin + heads + 1024, begin + heads + 2048);
      bytes.fill((i + 2) % 256, begin + heads + 2048, begin + heads + 3072);
      if (kind !== "cifar-100-coarse") bytes[begin + heads - 1] = label(i);
      else bytes[begin] = label(i);
    }
    return bytes;
  }

  test.each([
    ["cifar-10", 10],
    ["cifar-100", 100],
    ["cifar-100-coarse", 20],
  ] as const)("of %s, %i classes, follow one another", async (kind, classes) => {
    const first = records(kind, 300, (i) => i % classes);
    const second = records(kind, 2, () => classes - 1);
    const dataset = await cifarDataset({
      files: [pieces(first, 999), { source: compressed(second), name: "b.bin.gz" }],
      kind,
    });
    expect(dataset).toMatchObject({ size: 302, shape: [3, 32, 32] });
    expect(dataset.classes).toHaveLength(classes);
    const indices = [0, 1, 255, 256, 299, 300, 301];
    const labels = [0, 1, 255, 256, 299].map((i) => i % classes);
    expect(indices.map((index) => sampleOf(dataset, index).label)).toEqual([...labels, classes - 1, classes - 1]);
    for (const index of indices) {
      const { x } = sampleOf(dataset, index);
      const shade = index < 300 ? index : index - 300;
      expect([x[0], x[1023], x[1024], x[3071]]).toEqual(
        [shade, shade, shade + 1, shade + 2].map((value) => Math.fround((value % 256) / 255)),
      );
    }
  });

  test("are CIFAR-10's by default, with its names", async () => {
    const dataset = await cifarDataset({ files: [records("cifar-10", 1, () => 3)] });
    expect(dataset.classes[sampleOf(dataset, 0).label]).toBe("cat");
  });

  test("that are torn, empty or of another kind are refused", async () => {
    const file = records("cifar-10", 3, () => 0);
    const torn = await failure(cifarDataset({ files: [file, new File([file.subarray(0, 4000)], "data_batch_2.bin")] }));
    expect(torn).toMatchObject({
      message:
        "data_batch_2.bin: ends at byte 4,000, 927 bytes into a record; expected records of 3,073 bytes, a label and a picture of 3 x 32 x 32",
      offset: 4000,
    });
    expect((await failure(cifarDataset({ files: [new Uint8Array(0)] }))).message).toMatch(
      /^file 1: ends at byte 0, 0 bytes into a record/,
    );
    const wrong = records("cifar-10", 300, (i) => (i === 290 ? 10 : 9));
    expect(await failure(cifarDataset({ files: [pieces(wrong, 5000)] }))).toMatchObject({
      message: "file 1: label of record 290, at byte 891,170, is 10; expected 0 to 9",
      offset: 290 * 3073,
    });
    const coarse = records("cifar-100", 2, () => 0);
    coarse[3074 + 1] = 100;
    expect((await failure(cifarDataset({ files: [coarse], kind: "cifar-100" }))).message).toBe(
      "file 1: label of record 1, at byte 3,075, is 100; expected 0 to 99",
    );
  });

  test("are asked for by what there is", async () => {
    await expect(cifarDataset({ files: [], kind: "cifar-10" })).rejects.toThrow(
      "files is []; expected a list of at least one",
    );
    await expect(cifarDataset({ files: [new Uint8Array(0)], kind: "cifar10" as never })).rejects.toThrow(
      'did you mean "cifar-10"?',
    );
    await expect(cifarDataset({ files: [new Uint8Array(0)], classes: ["one"] })).rejects.toThrow(
      'classes is ["one"]; expected as many names as cifar-10 has, 10',
    );
    const cifar = async (options: unknown): Promise<unknown> => await cifarDataset(options as never);
    await expect(cifar(undefined)).rejects.toThrow("options is undefined; expected an object");
    await expect(cifar({ files: [new Uint8Array(0)], kinds: "cifar-100" })).rejects.toThrow("did you mean kind?");
    await expect(cifar({ files: [null] })).rejects.toThrow("file 1: its source is null; expected an ArrayBuffer");
    await expect(cifar({ files: [new Uint8Array(0)], classes: 3 })).rejects.toThrow("classes is 3; expected");
  });
});

test("mutations of files are read or refused with a FileError", async () => {
  const images = idx([4, 3, 3], anyBytes(36));
  const labels = idx([4], [1, 2, 3, 4]);
  const outcomes = { read: 0, refused: 0 };
  for (let seed = 0; seed < 1500; seed++) {
    const draws = new Random(seed);
    const mutate = (bytes: Uint8Array): Uint8Array => {
      const list = [...bytes];
      for (let changes = draws.below(3); changes > 0 && list.length > 0; changes--) {
        const at = draws.below(draws.below(2) === 0 ? Math.min(16, list.length) : list.length);
        const kind = draws.below(4);
        if (kind === 0) list[at] ^= 1 << draws.below(8);
        else if (kind === 1) list.splice(at, 1 + draws.below(3));
        else if (kind === 2) list.splice(at, 0, draws.below(256));
        else list.length = at;
      }
      return draws.below(3) === 0 ? compressed(Uint8Array.from(list)) : Uint8Array.from(list);
    };
    const outcome: unknown = await idxDataset({ images: mutate(images), labels: pieces(mutate(labels), 5) }).catch(
      (error: unknown) => error,
    );
    if (outcome instanceof FileError) outcomes.refused++;
    else if (outcome instanceof Error) throw new Error(`seed ${String(seed)}`, { cause: outcome });
    else outcomes.read++;
  }
  expect(outcomes.read).toBeGreaterThan(100);
  expect(outcomes.refused).toBeGreaterThan(500);
});
