/** The example that segments a volume: the volume, its blocks, what becomes of classes, and the command on a small volume. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode } from "fast-png";
import { createEngine } from "test-engine";
import { readNpy } from "webgpu-conv/io";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type Block,
  blocksOf,
  type Box,
  countsFor,
  cutBox,
  extentsOf,
  voxelsOf,
} from "../../examples/segment/blocks.js";
import { run } from "../../examples/segment/command.js";
import { blocksWithin, MemoryError, trainingBytes } from "../../examples/segment/memory.js";
import { HALO } from "../../examples/segment/network.js";
import { npyOf } from "../../examples/segment/npy.js";
import { type Extents, makePhantom } from "../../examples/segment/phantom.js";
import { writeLabels } from "../../examples/segment/segmentVolume.js";
import { sliceBitmap } from "../../examples/segment/slicePicture.js";
import { keptLines } from "../support/keptLines.js";

describe("the volume", () => {
  test("is the same for a seed, and another for another", () => {
    const [first, again, other] = [1, 1, 2].map((seed) => makePhantom([9, 12, 15], seed));
    expect(again).toEqual(first);
    expect(other.labels).not.toEqual(first.labels);
    expect(other.values).not.toEqual(first.values);
  });

  test("has all classes, whose values overlap, and lies within background", () => {
    const [depth, height, width] = [31, 40, 37];
    const { values, labels } = makePhantom([depth, height, width], 5);
    const means = [0, 1, 2].map((label) => {
      const own = Array.from(values.filter((_, i) => labels[i] === label));
      expect(own.length).toBeGreaterThan(0.03 * labels.length);
      return [own.reduce((sum, value) => sum + value, 0) / own.length, Math.min(...own), Math.max(...own)];
    });
    for (const [label, mean] of [0.1, 0.5, 0.8].entries()) expect(means[label][0]).toBeCloseTo(mean, 1);
    for (const label of [0, 1]) expect(means[label][2]).toBeGreaterThan(means[label + 1][1]);
    const corners = [0, width - 1, labels.length - width, labels.length - 1];
    expect(corners.map((corner) => labels[corner])).toEqual([0, 0, 0, 0]);
    expect(labels[(15 * height + 20) * width + 18]).not.toBe(0);
  });
});

describe("blocks", () => {
  const within = ({ begin, end }: Box[number], other: Box[number]): boolean => begin >= other.begin && end <= other.end;

  test.each<[Extents, Extents, number]>([
    [[7, 9, 11], [1, 1, 1], 3],
    [[7, 9, 11], [2, 3, 4], 1],
    [[7, 9, 11], [7, 9, 11], 2],
    [[5, 6, 200], [1, 1, 3], 46],
  ])("of %j, cut by %j with a halo of %d, are the volume, and crops have one shape", (extents, counts, halo) => {
    const blocks = blocksOf(extents, counts, halo);
    expect(blocks).toHaveLength(voxelsOf(counts));
    const times = new Uint8Array(voxelsOf(extents));
    for (const { own, crop } of blocks) {
      expect(extentsOf(crop)).toEqual(extentsOf(blocks[0].crop));
      for (const [axis, span] of own.entries()) {
        const around = { begin: Math.max(0, span.begin - halo), end: Math.min(extents[axis], span.end + halo) };
        expect(within(around, crop[axis]) && within(crop[axis], { begin: 0, end: extents[axis] })).toBe(true);
      }
      for (let z = own[0].begin; z < own[0].end; z++)
        for (let y = own[1].begin; y < own[1].end; y++)
          for (let x = own[2].begin; x < own[2].end; x++) times[(z * extents[1] + y) * extents[2] + x]++;
    }
    expect(times.every((count) => count === 1)).toBe(true);
  });

  const computed = (blocks: readonly Block[]): number => blocks.length * voxelsOf(extentsOf(blocks[0].crop));

  test("are as few as fit", () => {
    expect(countsFor([64, 64, 64], 46, 64 ** 3)).toEqual([1, 1, 1]);
    expect(countsFor([64, 64, 64], 46, 64 ** 3 - 1)).not.toEqual([1, 1, 1]);
    expect(countsFor([40, 44, 130], 46, 40 * 44 * 112)).toEqual([1, 1, 2]);
    expect(countsFor([40, 44, 130], 46, 40 * 44 * 105)).toEqual([1, 1, 10]);
    expect(countsFor([256, 256, 256], 46, 93 ** 3 - 1)).toBeUndefined();
    // No cut within the limit is computed from fewer voxels.
    for (const [extents, most] of [
      [[9, 14, 10], 400],
      [[20, 6, 9], 300],
    ] as const) {
      const counts = countsFor(extents, 2, most) ?? [0, 0, 0];
      const chosen = computed(blocksOf(extents, counts, 2));
      expect(voxelsOf(extentsOf(blocksOf(extents, counts, 2)[0].crop))).toBeLessThanOrEqual(most);
      for (let z = 1; z <= extents[0]; z++)
        for (let y = 1; y <= extents[1]; y++)
          for (let x = 1; x <= extents[2]; x++) {
            const blocks = blocksOf(extents, [z, y, x], 2);
            if (voxelsOf(extentsOf(blocks[0].crop)) <= most) expect(computed(blocks)).toBeGreaterThanOrEqual(chosen);
          }
    }
  });

  test("for steps of training take what there is, and say what they need", () => {
    const extents: Extents = [256, 256, 256];
    const bytes = 2 ** 30;
    const blocks = blocksWithin(extents, 5, bytes);
    expect(trainingBytes(5, voxelsOf(extentsOf(blocks[0].crop)))).toBeLessThanOrEqual(bytes);
    expect(() => blocksWithin(extents, 21, 2 ** 28)).toThrow(MemoryError);
    expect(() => blocksWithin(extents, 21, 2 ** 28)).toThrow(
      "a step takes 738 MiB for a single voxel, with all 93 x 93 x 93 that it sees and 21 channels; --mib allows 256: expected --mib 738 or more",
    );
    const [block] = blocksWithin([94, 93, 100], 21, 738 * 2 ** 20);
    expect(extentsOf(block.crop)).toEqual([93, 93, 93]);
    expect(() => blocksWithin(extents, 21, 737 * 2 ** 20)).toThrow("expected --mib 738 or more");
    expect(HALO).toBe(46);
  });

  test("are cut out row by row, with another value around what is their own", () => {
    const extents: Extents = [3, 4, 5];
    const values = Float32Array.from({ length: 60 }, (_, i) => i);
    const box: Box = [
      { begin: 1, end: 3 },
      { begin: 0, end: 2 },
      { begin: 2, end: 5 },
    ];
    expect([...cutBox(values, extents, box)]).toEqual([22, 23, 24, 27, 28, 29, 42, 43, 44, 47, 48, 49]);
    const own: Box = [{ begin: 1, end: 2 }, box[1], { begin: 3, end: 4 }];
    const none = -100;
    const expected = [none, 23, none, none, 28, none, ...new Array<number>(6).fill(none)];
    expect([...cutBox(Uint8Array.from(values), extents, box, { own, other: none })]).toEqual(expected);
  });
});

describe("classes", () => {
  test("are those of the largest logits, the first of equal ones, at their places", () => {
    const labels = new Uint8Array(2 * 3 * 4).fill(9);
    // A region of 1 x 2 x 2 voxels: four logits of each class.
    const logits = Float32Array.of(1, 0, 0, -5, 1, 2, 0, -3, 0, 1, 4, -4);
    writeLabels(labels, [2, 3, 4], { begin: [1, 1, 2], end: [2, 3, 4] }, logits);
    const expected = new Uint8Array(24).fill(9);
    for (const [i, label] of [0, 1, 2, 1].entries()) expected[12 + (1 + (i >> 1)) * 4 + 2 + (i % 2)] = label;
    expect(labels).toEqual(expected);
  });

  test.each([[[3]], [[2, 3, 4]], [[1, 100, 1000]]])("of shape %j are a file that numpy reads", async (shape) => {
    const values = Uint8Array.from({ length: shape.reduce((all, extent) => all * extent, 1) }, (_, i) => i % 251);
    const file = npyOf(values, shape);
    const read = await readNpy(file);
    expect([read.dtype, read.shape]).toEqual(["U8", shape]);
    expect(read.bytes).toEqual(values);
    // The values begin where numpy puts them.
    expect((file.length - values.length) % 64).toBe(0);
  });

  test("are colours beside the volume's middle slice", () => {
    const labels = Uint8Array.of(0, 0, 0, 0, 1, 2);
    const volume = {
      extents: [3, 1, 2] as const,
      values: Float32Array.of(0, 0, -1, 0.5, 0, 0),
      labels: labels.slice(),
    };
    volume.labels[2] = 2;
    const pixels = sliceBitmap(volume, labels);
    const of = (i: number): number[] => [...pixels.subarray(3 * i, 3 * i + 3)];
    expect(pixels).toHaveLength(3 * 6);
    expect([of(0), of(1)]).toEqual([
      [0, 0, 0],
      [128, 128, 128],
    ]);
    expect(of(2)).not.toEqual(of(3));
    expect([of(3), of(4), of(5)]).toEqual([of(3), of(3), of(3)]);
  });
});

describe("the command", () => {
  let folder: string;
  let lines: string[];
  const makeEngine = (): ReturnType<typeof createEngine> => createEngine({ backend: "cpu" });

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "segment-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeEach(() => {
    lines = keptLines({ bars: true });
  });
  afterEach(() => vi.restoreAllMocks());

  test("segments, and writes classes and a picture", { timeout: 60_000 }, async () => {
    const [labels, picture] = [join(folder, "a.npy"), join(folder, "a.png")];
    expect(await run(["--size", "6x7x8", "--labels", labels, "--picture", picture], makeEngine)).toBe(0);
    const found = await readNpy(readFileSync(labels));
    expect(found.shape).toEqual([6, 7, 8]);
    expect(Math.max(...found.bytes)).toBeLessThan(3);
    const { width, height } = decode(readFileSync(picture));
    expect([width, height]).toEqual([24, 7]);
    const text = lines.join("\n");
    expect(text).toMatch(/5 channels, 5,598 weights, 0\.00 GMAC .* depends on 93 x 93 x 93: a halo of 46/);
    expect(text).toMatch(/tiles {4}1 of 6 x 7 x 8, \d+ MiB each by the engine's account, computed from 1\.00 times/);
    expect(text).toMatch(/% background, .*% grey, .*% white; .*% of voxels have the volume's/);
    expect(text).not.toContain("loss");
  });

  test("trains first where it is asked to, and the loss falls", { timeout: 60_000 }, async () => {
    expect(await run(["--size", "6", "--train", "3", "--apart"], makeEngine)).toBe(0);
    const text = lines.join("\n");
    expect(text).toContain("blocks   1, computed from 6 x 6 x 6 voxels each, 1.00 times the volume");
    const [, before, after] = /loss {5}([\d.]+) before, ([\d.]+) after/.exec(text) ?? [];
    expect(Number(after)).toBeLessThan(Number(before));
    expect(text.match(/^tiles /gm)).toHaveLength(3);
    lines.length = 0;
    // Steps that are far too large.
    expect(await run(["--size", "6", "--train", "2", "--lr", "10"], makeEngine)).toBe(1);
    expect(lines.join("\n")).toContain("the loss did NOT fall");
  });

  test.each([
    [["--size", "7x8"], /expected one extent, or three: 64 or 60x70x80/],
    [["--size", "0"], /expected an integer of at least 1/],
    [["--mib", "few"], /expected an integer of at least 1/],
    [["--lr", "0"], /expected a number above 0/],
    [["photo.png"], /too many arguments/],
    [["--size", "100", "--mib", "5", "--train"], /MemoryError: a step takes 198 MiB for a single voxel/],
    [["--size", "100", "--mib", "1"], /LimitError: a tile of \[1, 1, 1\] takes [\d,]+ bytes; maxBytes is 1,048,576/],
    [["--size", "3", "--labels", join(tmpdir(), "no", "such", "folder", "a.npy")], /ENOENT/],
  ])("says what is wrong with %j", async (words, message) => {
    const write = vi.spyOn(process.stderr, "write").mockImplementation((text) => lines.push(String(text)) > 0);
    expect(await run(words, makeEngine)).toBe(2);
    expect(lines.join("\n")).toMatch(message);
    write.mockRestore();
  });

  test("helps", async () => {
    vi.spyOn(process.stdout, "write").mockImplementation((text) => lines.push(String(text)) > 0);
    expect(await run(["--help"], makeEngine)).toBe(0);
    for (const option of ["--size", "--mib", "--apart", "--train", "--labels", "--picture"])
      expect(lines.join("\n")).toContain(option);
    expect(existsSync(join(folder, "a.part"))).toBe(false);
  });
});
