/** .npy and .npz files: what numpy writes, every type and order, and ZIP files in all the forms that writers give them. */
import { createEngine } from "webgpu-conv";
import { floatValues, readNpy, readNpz, type SafeDType, streamNpz } from "webgpu-conv/io";
import { disposeModule, layers, loadState, Random } from "webgpu-conv/nn";
import { describe, expect, test } from "vitest";
import { crc32 } from "../../../src/io/npz/crc32.js";
import { deflated, type MemberSpec, npyFile, npyHeader, slowCrc32, zipFile } from "../../support/io/npzFile.js";
import { NPY_FILES, NPZ_FILES } from "../../support/io/numpyFiles.js";

/** In pieces. */
async function* piecesOf(file: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  await Promise.resolve();
  for (let at = 0; at < file.length; at += size) yield file.subarray(at, at + size);
}

const random = new Random(1);
const anyBytes = (count: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: count }, () => random.below(256));

describe("numpy's own files", () => {
  test.each(Object.entries(NPZ_FILES))("of %s", async (_, file) => {
    for (const source of [file, new Blob([file]), piecesOf(file, 1), piecesOf(file, 50)]) {
      const { tensors } = await readNpz(source);
      expect([...tensors.keys()]).toEqual(["conv/weight", "step"]);
      const [weight, step] = tensors.values();
      expect(weight).toMatchObject({ dtype: "F32", shape: [2, 3] });
      expect([...floatValues(weight)]).toEqual([0, 1, 2, 3, 4, 5]);
      expect(step).toEqual({ dtype: "I64", shape: [], bytes: Uint8Array.of(254, 255, 255, 255, 255, 255, 255, 255) });
    }
  });

  test.each(Object.entries(NPY_FILES))("of %s", async (_, file) => {
    for (const source of [file, new Blob([file]), piecesOf(file, 1)]) {
      const tensor = await readNpy(source);
      expect(tensor).toMatchObject({ dtype: "F16", shape: [2] });
      expect([...floatValues(tensor)]).toEqual([1.5, -2]);
    }
  });

  test("give a network its weights, float64 too, rounded to the nearest", async () => {
    const third = new Uint8Array(Float64Array.of(1 / 3, 1 + 2 ** -24, 1 + 3 * 2 ** -24, 1e300).buffer);
    const file = zipFile([
      { name: "weight.npy", data: npyFile(npyHeader("<f8", "(1, 1, 2, 2)"), third) },
      { name: "bias.npy", data: npyFile(npyHeader("<f4", "(1,)"), new Uint8Array(4)) },
    ]);
    const engine = await createEngine({ backend: "cpu" });
    const conv = layers.conv2d({ engine, random: new Random(1) }, 1, 1, { kernel: 2 });
    await loadState(conv, (await readNpz(file)).tensors);
    expect([...(await conv.parameters.weight.data())]).toEqual([Math.fround(1 / 3), 1, 1 + 2 ** -22, Infinity]);
    disposeModule(conv);
    engine.dispose();
  });
});

describe("arrays of", () => {
  test.each<[string, SafeDType, number]>([
    ["f2", "F16", 2],
    ["f4", "F32", 4],
    ["f8", "F64", 8],
    ["i1", "I8", 1],
    ["i2", "I16", 2],
    ["i4", "I32", 4],
    ["i8", "I64", 8],
    ["u1", "U8", 1],
    ["u2", "U16", 2],
    ["u4", "U32", 4],
    ["u8", "U64", 8],
    ["b1", "BOOL", 1],
  ])("%s keep their bits, in both orders of axes and of bytes", async (kind, dtype, size) => {
    const shape = [3, 1, 2, 4];
    const bytes = anyBytes(24 * size);
    const element = (i: number): number[] => [...bytes.subarray(i * size, (i + 1) * size)];
    for (const isFortran of [false, true])
      for (const order of size === 1 ? ["|"] : ["<", ">"]) {
        const stored = Array.from({ length: 24 }, (_, i) => {
          // Of the element that stands at i in the file, where the first axis runs fastest, its place in a row-major tensor.
          const [a, c, d] = [i % 3, Math.floor(i / 3) % 2, Math.floor(i / 6)];
          const little = element(isFortran ? (a * 2 + c) * 4 + d : i);
          return order === ">" ? little.reverse() : little;
        });
        const header = npyHeader(`${order}${kind}`, "(3, 1, 2, 4)", isFortran ? "True" : "False");
        const tensor = await readNpy(npyFile(header, Uint8Array.from(stored.flat())));
        expect(tensor, `${order} ${String(isFortran)}`).toEqual({ dtype, shape, bytes });
      }
  });

  test.each([
    ["a scalar", "()", [], 1],
    ["nothing", "(0, 3)", [0, 3], 0],
    ["no rows of more than there can be", "(9007199254740991, 0, 9007199254740991)", [2 ** 53 - 1, 0, 2 ** 53 - 1], 0],
    ["Python 2", "(2L, 1L)", [2, 1], 2],
  ])("%s", async (_, text, shape, count) => {
    for (const order of ["False", "True"]) {
      const tensor = await readNpy(npyFile(`${npyHeader("|u1", text, order)}   \n`, new Uint8Array(count)));
      expect(tensor).toEqual({ dtype: "U8", shape, bytes: new Uint8Array(count) });
    }
  });
});

describe("a ZIP file", () => {
  const data = npyFile(npyHeader("<u2", "(5,)"), anyBytes(10));
  const expected = { dtype: "U16", shape: [5], bytes: data.slice(-10) };

  const forms: [string, Partial<MemberSpec>, boolean, string][] = (
    [undefined, "signed", "bare", "long", "bare long"] as const
  ).flatMap((descriptor) =>
    [false, true].map((isLong): [string, Partial<MemberSpec>, boolean, string] => [
      `${descriptor === undefined ? "with sizes before" : `with ${descriptor} sizes behind`}, ${isLong ? "64" : "32"} bits`,
      { isLong, ...(descriptor !== undefined && { descriptor }) },
      isLong,
      isLong ? "a comment, PK\u0005\u0006" : "",
    ]),
  );
  test.each(forms)("%s", async (_, form, isLong, comment) => {
    const packed = await deflated(data);
    const file = zipFile(
      [
        { name: "folder/", data: new Uint8Array(0) },
        { name: "folder/stored.npy", data, ...form },
        { name: "deflated.npy", data, packed, method: 8, ...form },
        { name: "ümlaut.npy", data, ...form },
      ],
      isLong,
      comment,
    );
    for (const source of [file, piecesOf(file, 7)])
      expect([...(await readNpz(source)).tensors]).toEqual([
        ["folder/stored", expected],
        ["deflated", expected],
        ["ümlaut", expected],
      ]);
  });

  test("of no members, and one of a name that objects have", async () => {
    expect((await readNpz(zipFile([]))).tensors.size).toBe(0);
    const { tensors } = await readNpz(zipFile([{ name: "__proto__.npy", data }], false, "comment"));
    expect([...tensors]).toEqual([["__proto__", expected]]);
  });

  test("gives its members one by one, before its end has come", async () => {
    const file = zipFile([
      { name: "a.npy", data },
      { name: "b.npy", data },
    ]);
    const taken: number[] = [];
    let given = 0;
    const source = (async function* () {
      for await (const piece of piecesOf(file, 16)) {
        given += piece.length;
        yield piece;
      }
    })();
    for await (const [name, tensor] of streamNpz(source)) {
      expect([name, tensor]).toEqual([taken.length === 0 ? "a" : "b", expected]);
      taken.push(given);
    }
    expect(taken).toHaveLength(2);
    expect(taken[0]).toBeLessThan(file.length / 2);
  });
});

test("the checksum is CRC-32", () => {
  expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  for (let length = 0; length < 20; length++) {
    const bytes = anyBytes(length);
    expect(crc32(bytes)).toBe(slowCrc32(bytes));
  }
});
