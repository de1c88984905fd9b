/** safetensors files: bit for bit round trips, what the format's own library writes, errors with offsets, and mutations. */
import { describe, expect, test, vi } from "vitest";
import {
  FileError,
  floatTensor,
  floatValues,
  readSafetensors,
  type SafeTensor,
  streamSafetensors,
  writeSafetensors,
} from "webgpu-conv/io";
import { Random } from "webgpu-conv/nn";

const random = new Random(1);
/** Any bits, NaN of every payload among them. */
const anyBytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => random.below(256));
const header = (text: string, data = new Uint8Array(0)): Uint8Array<ArrayBuffer> => {
  const bytes = new TextEncoder().encode(text);
  const file = new Uint8Array(8 + bytes.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(bytes.length), true);
  file.set(bytes, 8);
  file.set(data, 8 + bytes.length);
  return file;
};
const ENTRY = '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}';

describe("a round trip", () => {
  const tensors = new Map<string, SafeTensor>([
    ["conv1.weight", { dtype: "F32", shape: [4, 3, 3, 3], bytes: anyBytes(432) }],
    ["bn1.num_batches_tracked", { dtype: "I64", shape: [], bytes: anyBytes(8) }],
    ["half", { dtype: "F16", shape: [3], bytes: anyBytes(6) }],
    ["brain", { dtype: "BF16", shape: [5], bytes: anyBytes(10) }],
    ["empty", { dtype: "F32", shape: [0, 7], bytes: new Uint8Array(0) }],
    ["flags", { dtype: "BOOL", shape: [3, 1], bytes: anyBytes(3) }],
    ['names may have "quotes", ümlauts, \\ and \u{1F600}', { dtype: "F64", shape: [1], bytes: anyBytes(8) }],
    ["__proto__", { dtype: "U8", shape: [1], bytes: anyBytes(1) }],
  ]);
  const metadata = { format: "pt", note: 'lines\n"and quotes"', ["__proto__x"]: "" };

  test("keeps every bit, name, shape, type and text", async () => {
    const file = writeSafetensors(tensors, metadata);
    const read = await readSafetensors(file);
    expect(read.metadata).toEqual(metadata);
    expect(new Set(read.tensors.keys())).toEqual(new Set(tensors.keys()));
    for (const [name, tensor] of tensors) expect(read.tensors.get(name), name).toEqual(tensor);
    expect(writeSafetensors(read.tensors, read.metadata)).toEqual(file);
  });

  test("comes through pieces of any size, and one tensor at a time", async () => {
    const file = writeSafetensors(tensors, metadata);
    for (const size of [1, 7, 64]) {
      const source = (async function* () {
        await Promise.resolve();
        for (let at = 0; at < file.length; at += size) yield file.subarray(at, at + size);
      })();
      const names: string[] = [];
      for await (const [name, tensor] of streamSafetensors(source)) {
        names.push(name);
        expect(tensor).toEqual(tensors.get(name));
      }
      expect(names).toHaveLength(tensors.size);
    }
  });

  test("lays every tensor at a multiple of its element, and the data at one of 8", () => {
    const file = writeSafetensors(tensors);
    const length = Number(new DataView(file.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const entries = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length))) as Record<
      string,
      { dtype: string; data_offsets: number[] }
    >;
    const bytes: Record<string, number> = { F64: 8, I64: 8, F32: 4, F16: 2, BF16: 2 };
    for (const { dtype, data_offsets: offsets } of Object.values(entries))
      expect(offsets[0] % (bytes[dtype] ?? 1)).toBe(0);
  });

  test("of nothing is a file, too", async () => {
    expect(await readSafetensors(writeSafetensors([]))).toEqual({ tensors: new Map(), metadata: {} });
  });
});

describe("a file of the format's own library", () => {
  test("is read, and written alike", async () => {
    // safetensors 0.8.0 in Python, safetensors.numpy.save({"b": float32 [[1, 2]], "a": float16 [3], "n": int64 7}, {"format": "pt"})
    const text =
      '{"__metadata__":{"format":"pt"},"n":{"dtype":"I64","shape":[],"data_offsets":[0,8]},' +
      '"b":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]},"a":{"dtype":"F16","shape":[1],"data_offsets":[16,18]}}     ';
    const data = "07 00 00 00 00 00 00 00 00 00 80 3f 00 00 00 40 00 42";
    const file = header(
      text,
      Uint8Array.from(data.split(" "), (byte) => parseInt(byte, 16)),
    );
    expect(file[0]).toBe(0xc8);
    const { tensors, metadata } = await readSafetensors(file);
    expect(metadata).toEqual({ format: "pt" });
    const [count, ...floats] = [...tensors];
    expect(count).toEqual(["n", { dtype: "I64", shape: [], bytes: Uint8Array.of(7, 0, 0, 0, 0, 0, 0, 0) }]);
    const values = floats.map(([name, tensor]) => [name, tensor.shape, [...floatValues(tensor)]]);
    expect(values).toEqual([
      ["b", [1, 2], [1, 2]],
      ["a", [1], [3]],
    ]);
    expect(writeSafetensors(tensors, metadata)).toEqual(file);
  });
});

describe("values", () => {
  test("of float32 keep their bits, NaN's payload and the sign of zero too", () => {
    const words = Uint32Array.of(0x7fc01234, 0x80000000, 1, 0x7f800000, 0xff7fffff);
    const tensor = floatTensor(new Float32Array(words.buffer), [5]);
    expect(new Uint32Array(floatValues(tensor).buffer)).toEqual(words);
    const unaligned = new Uint8Array([0, ...tensor.bytes]).subarray(1);
    expect(new Uint32Array(floatValues({ ...tensor, bytes: unaligned }).buffer)).toEqual(words);
  });

  test("of float16 and bfloat16 are exact; float16 is written to the nearest, ties to even", () => {
    const half = floatTensor(Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 65519, 65520, -(2 ** -25)), [5], "F16");
    expect([...floatValues(half)]).toEqual([1, 1 + 2 ** -9, 65504, Infinity, -0]);
    const brain = Uint16Array.of(0x3f80, 0xc0a0, 0x7f80, 0x0001);
    const values = floatValues({ dtype: "BF16", shape: [4], bytes: new Uint8Array(brain.buffer) });
    expect([...values]).toEqual([1, -5, Infinity, 2 ** -133]);
  });

  test("of other types are refused, and shapes that do not fit", () => {
    const count: SafeTensor = { dtype: "I64", shape: [], bytes: new Uint8Array(8) };
    expect(() => floatValues(count)).toThrow("a tensor of shape [] has dtype I64; expected F32, F16 or BF16");
    expect(() => floatTensor(new Float32Array(3), [2, 2])).toThrow("shape [2, 2] has 4 elements; there are 3 values");
  });
});

describe("writing refuses", () => {
  const good: SafeTensor = { dtype: "F32", shape: [2], bytes: new Uint8Array(8) };
  test.each([
    [
      "bytes that do not fit",
      [["a", { ...good, shape: [3] }]],
      {},
      'tensor "a" has 8 bytes; expected 12, for [3] of F32',
    ],
    ["a shape that is none", [["a", { ...good, shape: [-2] }]], {}, 'tensor "a" has shape [-2]; expected whole sizes'],
    ["an unknown type", [["a", { ...good, dtype: "F31" }]], {}, 'tensor "a" has dtype "F31"; expected one of F64'],
    [
      "two of a name",
      [
        ["a", good],
        ["a", good],
      ],
      {},
      'two tensors are named "a"',
    ],
    ["the format's own name", [["__metadata__", good]], {}, 'a tensor is named "__metadata__"'],
    ["metadata that are no texts", [], { step: 3 }, 'metadata "step" is 3; expected a text'],
  ] as const)("%s", (_, tensors, metadata, message) => {
    expect(() => writeSafetensors(tensors as never, metadata as never)).toThrow(message);
  });
});

describe("a wrong file says what and where", () => {
  const two = (a: string, b: string): string =>
    `{"a":{"dtype":"U8","shape":[2],"data_offsets":${a}},"b":{"dtype":"U8","shape":[2],"data_offsets":${b}}}`;
  test.each([
    ["empty", new Uint8Array(0), "w: ends at byte 0; expected a header's length in the first 8 bytes", 0],
    ["too short for a length", new Uint8Array(5), "w: ends at byte 5; expected a header's length", 5],
    [
      "of another kind",
      new TextEncoder().encode("<!doctype html>"),
      "w: the header's length, at byte 0, is 8104636974849335612",
      0,
    ],
    ["torn in the header", header(ENTRY).subarray(0, 20), "w: ends at byte 20; its header goes on to byte 62", 20],
    [
      "torn in the data",
      header(ENTRY, new Uint8Array(7)),
      "w: ends at byte 69; its header promises tensors up to byte 70",
      69,
    ],
    [
      "longer than its tensors",
      header(ENTRY, new Uint8Array(9)),
      "w: goes on at byte 70, where the last tensor ends",
      70,
    ],
    ["no JSON", header("{]"), "w: the header at byte 8 is no JSON: SyntaxError", 8],
    ["no UTF-8", header("{").fill(0xff, 8), "w: the header at byte 8 is no JSON: TypeError", 8],
    ["no object", header("[1]"), "w: the header at byte 8 is [1]; expected an object", 8],
    [
      "with a tensor that is none",
      header('{"a":3}'),
      'w: the header\'s tensor "a" is 3; expected an object of dtype, shape and data_offsets',
      8,
    ],
    [
      "with an unknown type",
      header('{"a":{"dtype":"F31"}}'),
      'w: the header\'s tensor "a" has dtype "F31"; expected one of F64',
      8,
    ],
    ["with a type of Object's", header('{"a":{"dtype":"toString"}}'), 'has dtype "toString"', 8],
    [
      "with a negative size",
      header(ENTRY.replace("[2]", "[-2]")),
      'tensor "a" has shape [-2]; expected whole sizes',
      8,
    ],
    ["with a size that overflows", header(ENTRY.replace("[2]", "[9007199254740991,3]")), 'tensor "a" has 8 bytes', 8],
    [
      "with an offset that is none",
      header(ENTRY.replace("[0,8]", "[0,8,9]")),
      'tensor "a" has data_offsets [0, 8, 9]; expected [begin, end]',
      8,
    ],
    [
      "with another shape than bytes",
      header(ENTRY.replace("[2]", "[3]")),
      'tensor "a" has 8 bytes, data_offsets [0, 8]; expected 12, for [3] of F32',
      8,
    ],
    [
      "with a hole",
      header(two("[0,2]", "[3,5]"), new Uint8Array(5)),
      'w: tensor "b" begins at byte 116; expected 115, where the data before it end',
      116,
    ],
    [
      "with tensors over one another",
      header(two("[0,2]", "[1,3]"), new Uint8Array(3)),
      'w: tensor "b" begins at byte 114; expected 115',
      114,
    ],
    [
      "that begins late",
      header(two("[1,3]", "[3,5]"), new Uint8Array(5)),
      'w: tensor "a" begins at byte 114; expected 113',
      114,
    ],
    [
      "with metadata that are no texts",
      header('{"__metadata__":{"a":1}}'),
      "w: the header's __metadata__ is Object; expected an object of texts",
      8,
    ],
  ])("%s", async (_, file, message, offset) => {
    for (const source of [file, new Blob([file.slice()]).stream()]) {
      const error = await readSafetensors(source, "w").catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(FileError);
      const isStream = source !== file;
      // A stream's end shows only when it is reached.
      const expected = isStream
        ? message.replace("its header promises tensors up to", 'tensor "a" goes on to')
        : message;
      expect((error as FileError).message).toContain(expected);
      expect(error).toMatchObject({ file: "w", offset });
    }
  });
});

describe("mutations of a file", () => {
  const tensors = new Map([
    [
      "conv.weight",
      floatTensor(
        Float32Array.from({ length: 36 }, (_, i) => i),
        [4, 1, 3, 3],
      ),
    ],
    ["conv.bias", floatTensor(new Float32Array(4), [4], "F16")],
  ]);
  const file = writeSafetensors(tensors, { format: "pt" });
  const length = Number(new DataView(file.buffer).getBigUint64(0, true));

  /** Bytes changed, put in, left out or cut off; mostly in the header; digits for digits, so that more gets past JSON. */
  function mutate(seed: number): Uint8Array {
    const draws = new Random(seed);
    let bytes = [...file];
    for (let changes = 1 + draws.below(3); changes > 0; changes--) {
      const at = draws.below(draws.below(4) === 0 ? bytes.length : 8 + length);
      const digits = bytes.flatMap((byte, i) => (i >= 8 && i < 8 + length && byte >= 0x30 && byte <= 0x39 ? [i] : []));
      const kind = draws.below(6);
      if (kind === 0) bytes[at] = draws.below(256);
      else if (kind === 1) bytes.splice(at, 1 + draws.below(4));
      else if (kind === 2) bytes.splice(at, 0, ...Array.from({ length: 1 + draws.below(4) }, () => draws.below(256)));
      else if (kind === 3) bytes = bytes.slice(0, at);
      else if (digits.length > 0) bytes[digits[draws.below(digits.length)]] = 0x30 + draws.below(10);
      if (bytes.length === 0) break;
    }
    return Uint8Array.from(bytes);
  }

  test("are read or refused with a FileError, and never take memory that the file does not justify", async () => {
    let largest = 0;
    const Original = Uint8Array;
    const outcomes = { read: 0, refused: 0 };
    const files = Array.from({ length: 3000 }, (_, seed) => mutate(seed));
    const recording = new Proxy(Original, {
      construct(constructor, given: [unknown]) {
        if (typeof given[0] === "number") largest = Math.max(largest, given[0]);
        return Reflect.construct(constructor, given) as object;
      },
    });
    vi.stubGlobal("Uint8Array", recording);
    try {
      for (const [seed, mutated] of files.entries()) {
        largest = 0;
        const source = (async function* () {
          await Promise.resolve();
          for (let at = 0; at < mutated.length; at += 50) yield mutated.subarray(at, at + 50);
        })();
        const outcome = await readSafetensors(seed % 2 === 0 ? mutated : source).catch((error: unknown) => error);
        const isRefused = outcome instanceof FileError;
        if (!isRefused && outcome instanceof Error) throw new Error(`seed ${String(seed)}`, { cause: outcome });
        outcomes[isRefused ? "refused" : "read"]++;
        expect(largest, `seed ${String(seed)}`).toBeLessThanOrEqual(mutated.length);
      }
    } finally {
      vi.unstubAllGlobals();
    }
    // Changes of values and of names are no errors.
    expect(outcomes.read).toBeGreaterThan(50);
    expect(outcomes.refused).toBeGreaterThan(2000);
  });

  test("a header that promises 2^50 bytes takes no more than has come", async () => {
    const promise = header(
      '{"a":{"dtype":"U8","shape":[1125899906842624],"data_offsets":[0,1125899906842624]}}',
      new Uint8Array(100),
    );
    await expect(readSafetensors(new Blob([promise]).stream(), "w")).rejects.toThrow(
      'w: ends at byte 191; tensor "a" goes on to byte 1,125,899,906,842,715',
    );
  });
});
