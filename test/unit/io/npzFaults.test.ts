/** .npy and .npz files that are wrong: errors with offsets, mutations, and memory. */
import { FileError, readNpy, readNpz } from "webgpu-conv/io";
import { Random } from "webgpu-conv/nn";
import { describe, expect, test } from "vitest";
import { allocations } from "../../support/allocations.js";
import { deflated, joined, type MemberSpec, npyFile, npyHeader, zipFile } from "../../support/io/npzFile.js";
import { NPZ_FILES } from "../../support/io/numpyFiles.js";

const header = npyHeader("<f4", "(2,)");
const good = npyFile(header, new Uint8Array(8));
/** Where its data begin. */
const BEGIN = good.length - 8;
const zeros = npyFile(npyHeader("|u1", "(5000,)"), new Uint8Array(5000));
const [packed, packedZeros] = [await deflated(good), await deflated(zeros)];
const packedGzip = await deflated(await deflated(good, "gzip"));

async function fault(reading: Promise<unknown>): Promise<FileError> {
  const error = await reading.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(FileError);
  return error as FileError;
}

describe("a wrong .npy says what and where", () => {
  const of = (text: string, version = 1): Uint8Array => npyFile(text, new Uint8Array(8), version);
  test.each<[string, Uint8Array, string, number]>([
    ["empty", new Uint8Array(0), "w: ends at byte 0; expected at least 12", 0],
    ["another kind", new TextEncoder().encode("<!doctype html>"), "w: begins with the bytes 60 33 100 111 99 116", 0],
    ["another version", of(header, 4), "w: has version 4.0; expected 1.0, 2.0 or 3.0", 6],
    [
      "a header without an end",
      joined(good.subarray(0, 8), Uint8Array.of(255, 255, 9, 9)),
      "w: has a header of 65,535",
      8,
    ],
    ["no header", joined(good.subarray(0, 8), new Uint8Array(4)), "w: has a header of 0 bytes", 8],
    ["torn in the header", good.subarray(0, 20), `w: ends at byte 20; its header goes on to byte ${String(BEGIN)}`, 20],
    [
      "torn in the data",
      good.subarray(0, BEGIN + 5),
      `w: ends at byte ${String(BEGIN + 5)}; its [2] of F32 go on to byte ${String(BEGIN + 8)}`,
      BEGIN + 5,
    ],
    [
      "longer",
      joined(good, Uint8Array.of(1)),
      `w: goes on at byte ${String(BEGIN + 8)}, where the data end`,
      BEGIN + 8,
    ],
    ["no literal", of("{'descr': lambda}"), 'w: the header at byte 10 has " lambda}"; expected Python\'s {...}', 10],
    ["no braces", of("'descr', 'descr'"), "w: the header at byte 10 is \"'descr', 'descr'\"; expected", 10],
    ["no names", of("{3: 4, 5: 6}"), "has no name and colon where one should be", 10],
    ["a name twice", of("{'descr': '<f4', 'descr': '<f4'}"), 'has "descr" twice', 10],
    [
      "a name too few",
      of("{'descr': '<f4', 'shape': (2,)}"),
      'has ["descr", "shape"]; expected descr, fortran_order',
      10,
    ],
    ["a name too many", of(header.replace("}", "'more': 1}")), 'has ["descr", "fortran_order", "shape", "more"]', 10],
    [
      "fields",
      of(header.replace("'<f4'", "[('a', '<f4')]")),
      "has a structured type; expected numbers of one type",
      10,
    ],
    [
      "complex numbers",
      of(npyHeader("<c8", "(1,)")),
      'has descr "<c8"; expected < or >, or | of single bytes, and one',
      10,
    ],
    ["objects", of(npyHeader("|O", "(1,)")), 'has descr "|O"; expected < or >', 10],
    ["a name of Object's", of(npyHeader("<toString", "(1,)")), 'has descr "<toString"', 10],
    ["no order of bytes", of(npyHeader("|f4", "(2,)")), 'has descr "|f4"; expected < or >', 10],
    ["no order of axes", of(npyHeader("<f4", "(2,)", "1")), "has no True or False as fortran_order", 10],
    ["no shape", of(npyHeader("<f4", "(2)")), "has no shape of whole numbers", 10],
    ["a list for a shape", of(npyHeader("<f4", "[2]")), "has no shape of whole numbers", 10],
    ["a size beyond 2^53", of(npyHeader("<f4", "(9007199254740993,)")), "has no shape of whole numbers", 10],
    ["more than 2^53 bytes", of(npyHeader("<f4", "(4503599627370496,)")), "which is more than 2^53 bytes", 10],
    ["more than 2^53 elements", of(npyHeader("<f4", "(94906267, 94906267)")), "which is more than 2^53 bytes", 10],
  ])("%s", async (_, file, message, offset) => {
    const error = await fault(readNpy(file, "w"));
    expect(error.message).toContain(message);
    expect(error).toMatchObject({ file: "w", offset });
  });
});

describe("a wrong .npz says what and where", () => {
  const a: MemberSpec = { name: "a.npy", data: good };
  const [file, two] = [zipFile([a]), zipFile([a, { ...a, name: "b.npy" }])];
  /** Where a member's data begin, and the directory. */
  const [data, directory] = [35, 35 + good.length];
  const wrong = (change: Partial<MemberSpec>): Uint8Array => zipFile([{ ...a, ...change }]);
  test.each<[string, Uint8Array, string, number]>([
    ["empty", new Uint8Array(0), "w: ends at byte 0; a record goes on to byte 4", 0],
    ["another kind", new TextEncoder().encode("<!doctype html>"), "w: has 0x6f64213c at byte 0; expected a record", 0],
    ["torn in a header", file.subarray(0, 20), "w: ends at byte 20; the header at byte 0 goes on to byte 30", 20],
    [
      "torn in the data",
      file.subarray(0, data + 9),
      `w: ends at byte 44; member "a.npy" goes on to byte ${String(directory)}`,
      44,
    ],
    [
      "torn at the end",
      file.subarray(0, -1),
      `w: ends at byte ${String(file.length - 1)}; the end of the`,
      file.length - 1,
    ],
    ["longer", joined(file, Uint8Array.of(7)), `w: goes on at byte ${String(file.length)}, where the dir`, file.length],
    ["without a directory", two.subarray(0, directory), "w: ends at byte 110; a record goes on to byte 114", directory],
    ["encrypted", wrong({ flags: 1 }), 'w: member "a.npy" at byte 0 is encrypted; expected one that is not', 0],
    ["of another method", wrong({ method: 12 }), 'w: member "a.npy" at byte 0 is packed by method 12; expected 0', 0],
    ["damaged", wrong({ crc: 1 }), `w: member "a.npy" at byte 35 has the CRC-32 0x`, data],
    [
      "stored with two sizes",
      wrong({ bytes: 3 }),
      'w: member "a.npy" at byte 0 is stored, 75 bytes for 3; expected',
      0,
    ],
    [
      "a name that is no UTF-8",
      wrong({ name: Uint8Array.of(255) }),
      "w: the member at byte 0 has a name that is no",
      0,
    ],
    ["no .npy", wrong({ name: "a.json" }), 'w: member "a.json" at byte 36 is no .npy, which all should be', 36],
    ["two of a name", zipFile([a, a]), 'w: two members are named "a.npy"', directory + 35],
    [
      "no array",
      wrong({ data: zeros.subarray(1) }),
      'w: member "a.npy", from byte 35 on, begins with the bytes 78 85 77 80 89 1',
      data,
    ],
    [
      "a short array",
      wrong({ data: good.subarray(0, -1) }),
      'w: member "a.npy", from byte 35 on, has 7 bytes of data; expected 8, for [2] of F32',
      data + BEGIN,
    ],
    ["a torn header", wrong({ data: good.subarray(0, 20) }), "has 20 bytes; its header has 67", data + 20],
    ["not in the directory", wrong({ listed: false }), 'w: member "a.npy" at byte 0 is not in the directory', 0],
    ["another in the directory", wrong({ listed: { name: "b.npy" } }), "at byte 0 is another in the directory", 0],
    [
      "not there",
      joined(file.subarray(0, directory), two.subarray(2 * directory)),
      "w: has 2 members in the directory at its end; expected 1",
      file.length + 51,
    ],
    ["64 bits that are missing", file.map((byte, i) => (i >= 18 && i < 26 ? 255 : byte)), "has no sizes in 64 bits", 0],
    [
      "sizes behind the data, not in the directory",
      wrong({ descriptor: "signed", listed: false }),
      'w: member "a.npy" at byte 0 is not in the directory, which alone has its size',
      0,
    ],
    [
      "sizes behind the data, without a directory",
      wrong({ descriptor: "signed" }).subarray(0, 120),
      "w: ends at byte 120 without a ZIP file's directory",
      120,
    ],
    [
      "too much behind the data",
      wrong({ descriptor: "signed", packed: joined(good, new Uint8Array(9)), listed: { packed: good } }),
      'has 25 bytes behind member "a.npy", which ends at byte 110; expected 12, 16, 20, 24',
      110,
    ],
    [
      "no deflate",
      wrong({ method: 8, packed: new Uint8Array(99).fill(255) }),
      'w: member "a.npy" at byte 35 cannot be unpacked: ',
      data,
    ],
    ["deflate that is torn", wrong({ method: 8, packed: packed.subarray(0, -9) }), "cannot be unpacked: ", data],
    [
      "less than it promises",
      wrong({ method: 8, packed, bytes: good.length + 1 }),
      'w: member "a.npy" at byte 35 unpacks to 75; expected 76 bytes',
      data,
    ],
    [
      "more than it promises",
      wrong({ method: 8, data: zeros, packed: packedZeros, bytes: 80 }),
      'w: member "a.npy" at byte 35 unpacks to more; expected 80 bytes',
      data,
    ],
    [
      "what gzip compressed, which is no .npy until that is undone, too",
      wrong({ method: 8, packed: packedGzip }),
      'w: member "a.npy" at byte 35 unpacks to ',
      data,
    ],
    [
      "two members in one place, in the directory",
      joined(file.subarray(0, -22), file.subarray(directory, -22), file.subarray(-22)),
      `w: has members "a.npy" and "a.npy", both at byte 0, in its directory; expected one`,
      file.length - 22,
    ],
    [
      "more than deflate can do",
      wrong({ method: 8, packed, bytes: 2 ** 31 }),
      'w: member "a.npy" at byte 0 promises 2,147,483,648 bytes of ',
      0,
    ],
  ])("%s", async (_, bytes, message, offset) => {
    for (const source of [bytes, new Blob([bytes.slice()]).stream()]) {
      const error = await fault(readNpz(source, "w"));
      expect(error.message).toContain(message);
      expect(error).toMatchObject({ file: "w", offset });
    }
  });

  test("more of zeros than is wanted, of all members together", async () => {
    const member = { data: zeros, packed: packedZeros, method: 8 };
    const bombs = zipFile(["a.npy", "b.npy"].map((name) => ({ ...member, name })));
    const { length } = zeros;
    expect((await readNpz(bombs, "w", { mostInflatedBytes: 2 * length })).tensors.size).toBe(2);
    const error = await fault(readNpz(bombs, "w", { mostInflatedBytes: 2 * length - 1 }));
    expect(error.message).toMatch(
      /^w: member "b.npy" at byte \d+ makes 10,140 bytes .* most 10,139, mostInflatedBytes$/,
    );
    await expect(readNpz(bombs, "w", { mostInflatedBytes: -1 })).rejects.toThrow("mostInflatedBytes is -1; expected");
    await expect(readNpz(bombs, "w", { most: 1 } as never)).rejects.toThrow("most");
  });
});

test("more of zeros than is wanted, in what gzip compressed: also where members are stored", async () => {
  const members = (descriptor: Partial<MemberSpec>): Uint8Array<ArrayBuffer> =>
    zipFile([{ name: "a.npy", data: zeros, ...descriptor }]);
  for (const [file, read] of [
    [members({}), readNpz],
    [members({ descriptor: "signed" }), readNpz],
    [zeros, readNpy],
  ] as const) {
    const small = await deflated(file, "gzip");
    expect(small.length).toBeLessThan(file.length / 20);
    await read(small, "w", { mostInflatedBytes: file.length });
    const error = await fault(read(small, "w", { mostInflatedBytes: file.length - 1 }));
    expect(error.message).toBe(
      `w: is compressed by gzip and unpacks to more than ${(file.length - 1).toLocaleString("en")} bytes; expected at most these, mostInflatedBytes`,
    );
    // Of a file that nothing compressed no more comes than there is.
    await read(file, "w", { mostInflatedBytes: 0 });
  }
  await expect(readNpy(zeros, "w", { mostInflatedBytes: -1 })).rejects.toThrow("mostInflatedBytes is -1; expected");
});

describe("mutations", () => {
  /** Bytes changed, put in, left out or cut off; mostly what is no zero or space. */
  function mutate(file: Uint8Array, seed: number): Uint8Array {
    const draws = new Random(seed);
    let bytes = [...file];
    for (let changes = 1 + draws.below(3); changes > 0 && bytes.length > 0; changes--) {
      const telling = bytes.flatMap((byte, i) => (byte === 0 || byte === 0x20 ? [] : [i]));
      const at =
        draws.below(4) === 0 || telling.length === 0 ? draws.below(bytes.length) : telling[draws.below(telling.length)];
      const kind = draws.below(8);
      if (kind === 0) bytes.splice(at, 1 + draws.below(4));
      else if (kind === 1) bytes.splice(at, 0, ...Array.from({ length: 1 + draws.below(4) }, () => draws.below(256)));
      else if (kind === 2 && draws.below(2) === 0) bytes = bytes.slice(0, at);
      else if (kind < 5) bytes[at] ^= 1 << draws.below(8);
      else bytes[at] = draws.below(256);
    }
    return Uint8Array.from(bytes);
  }

  /** Reads many; how many had no error. */
  async function readAll(
    files: readonly Uint8Array[],
    read: (source: Uint8Array | AsyncIterable<Uint8Array>) => Promise<unknown>,
    mostOf: (file: Uint8Array) => number,
  ): Promise<number> {
    let count = 0;
    for (const [seed, mutated] of files.entries()) {
      const source = (async function* () {
        await Promise.resolve();
        for (let at = 0; at < mutated.length; at += 50) yield mutated.subarray(at, at + 50);
      })();
      const sizes = await allocations(async () => {
        const outcome = await read(seed % 2 === 0 ? mutated : source).catch((error: unknown) => error);
        const isRefused = outcome instanceof FileError;
        if (!isRefused && outcome instanceof Error) throw new Error(`seed ${String(seed)}`, { cause: outcome });
        if (!isRefused) count++;
      });
      expect(Math.max(...sizes), `seed ${String(seed)}`).toBeLessThanOrEqual(mostOf(mutated));
    }
    return count;
  }

  test.each(Object.entries(NPZ_FILES))(
    "of %s are read or refused with a FileError, and never take memory that the file does not justify",
    async (name, file) => {
      const files = Array.from({ length: 500 }, (_, seed) => mutate(file, seed));
      // Of deflate no more than the members' 152 bytes and the one that tells that there are more.
      const most = name.includes("compressed") ? 1032 : 1;
      const read = await readAll(files, readNpz, ({ length }) => most * length);
      // The checksum is of the data, not of times and versions.
      expect(read).toBeGreaterThan(5);
      expect(read).toBeLessThan(250);
    },
  );

  test("of a .npy likewise, and the text of its header", async () => {
    const file = npyFile(npyHeader(">f8", "(2, 3)", "True"), new Uint8Array(48).fill(1));
    const files = Array.from({ length: 2000 }, (_, seed) => mutate(file, seed));
    const read = await readAll(files, readNpy, ({ length }) => Math.max(length, 12));
    expect(read).toBeGreaterThan(200);
    expect(read).toBeLessThan(1800);
  });

  test("a promise of 2^50 bytes takes no more than has come", async () => {
    const promise = npyFile(npyHeader("|u1", "(1125899906842624,)"), new Uint8Array(100));
    const sizes = await allocations(async () => {
      expect((await fault(readNpy(new Blob([promise]).stream(), "w"))).message).toContain("w: ends at byte ");
    });
    expect(Math.max(...sizes)).toBeLessThanOrEqual(promise.length);
  });
});
