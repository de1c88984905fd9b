/** safetensors files that are wrong: what writing refuses, errors with offsets, mutations, and memory. */
import { describe, expect, test } from "vitest";
import {
  FileError,
  floatTensor,
  readSafetensors,
  type SafeTensor,
  streamSafetensors,
  writeSafetensors,
} from "webgpu-conv/io";
import { Random } from "webgpu-conv/nn";
import { allocations } from "../../support/allocations.js";
import { safetensorsFile } from "../../support/safetensorsFile.js";

const ENTRY = '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}';

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
    ["an object", { a: good }, {}, "tensors is Object; expected a Map, or a list of [name, tensor]"],
    ["nothing", undefined, {}, "tensors is undefined; expected a Map"],
    ["what is no pair", [good], {}, "tensors has Object; expected [name, tensor]"],
    ["a tensor that is missing", [["a", undefined]], {}, 'tensor "a" is undefined; expected { dtype, shape, bytes }'],
    ["one without a shape", [["a", { ...good, shape: undefined }]], {}, 'tensor "a" has shape undefined; expected'],
    ["one without bytes", [["a", { ...good, bytes: new ArrayBuffer(8) }]], {}, 'tensor "a" has bytes ArrayBuffer'],
    ["no metadata", [], null, "metadata is null; expected texts by name"],
    ["metadata that are no texts", [], { step: 3 }, 'metadata "step" is 3; expected a text'],
    [
      "more than readers take",
      [],
      { note: "x".repeat(100_000_000) },
      "names, shapes and metadata take 100,000,028 bytes; expected at most 100,000,000, which readers take",
    ],
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
    [
      "torn in the header",
      safetensorsFile(ENTRY).subarray(0, 20),
      "w: ends at byte 20; its header goes on to byte 62",
      20,
    ],
    [
      "torn in the data",
      safetensorsFile(ENTRY, new Uint8Array(7)),
      "w: ends at byte 69; its header promises tensors up to byte 70",
      69,
    ],
    [
      "longer than its tensors",
      safetensorsFile(ENTRY, new Uint8Array(9)),
      "w: goes on at byte 70, where the last tensor ends",
      70,
    ],
    ["no JSON", safetensorsFile("{]"), "w: the header at byte 8 is no JSON: SyntaxError", 8],
    ["no UTF-8", safetensorsFile("{").fill(0xff, 8), "w: the header at byte 8 is no JSON: TypeError", 8],
    ["no object", safetensorsFile("[1]"), "w: the header at byte 8 is [1]; expected an object", 8],
    [
      "with a tensor that is none",
      safetensorsFile('{"a":3}'),
      'w: the header\'s tensor "a" is 3; expected an object of dtype, shape and data_offsets',
      8,
    ],
    [
      "with an unknown type",
      safetensorsFile('{"a":{"dtype":"F31"}}'),
      'w: the header\'s tensor "a" has dtype "F31"; expected one of F64',
      8,
    ],
    ["with a type of Object's", safetensorsFile('{"a":{"dtype":"toString"}}'), 'has dtype "toString"', 8],
    [
      "with a negative size",
      safetensorsFile(ENTRY.replace("[2]", "[-2]")),
      'tensor "a" has shape [-2]; expected whole sizes',
      8,
    ],
    [
      "with a size that overflows",
      safetensorsFile(ENTRY.replace("[2]", "[9007199254740991,3]")),
      'tensor "a" has 8 bytes',
      8,
    ],
    [
      "with an offset that is none",
      safetensorsFile(ENTRY.replace("[0,8]", "[0,8,9]")),
      'tensor "a" has data_offsets [0, 8, 9]; expected [begin, end]',
      8,
    ],
    [
      "with another shape than bytes",
      safetensorsFile(ENTRY.replace("[2]", "[3]")),
      'tensor "a" has 8 bytes, data_offsets [0, 8]; expected 12, for [3] of F32',
      8,
    ],
    [
      "with a hole",
      safetensorsFile(two("[0,2]", "[3,5]"), new Uint8Array(5)),
      'w: tensor "b" begins at byte 116; expected 115, where the data before it end',
      116,
    ],
    [
      "with tensors over one another",
      safetensorsFile(two("[0,2]", "[1,3]"), new Uint8Array(3)),
      'w: tensor "b" begins at byte 114; expected 115',
      114,
    ],
    [
      "that begins late",
      safetensorsFile(two("[1,3]", "[3,5]"), new Uint8Array(5)),
      'w: tensor "a" begins at byte 114; expected 113',
      114,
    ],
    [
      "with metadata that are no texts",
      safetensorsFile('{"__metadata__":{"a":1}}'),
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
    const outcomes = { read: 0, refused: 0 };
    const files = Array.from({ length: 3000 }, (_, seed) => mutate(seed));
    for (const [seed, mutated] of files.entries()) {
      const source = (async function* () {
        await Promise.resolve();
        for (let at = 0; at < mutated.length; at += 50) yield mutated.subarray(at, at + 50);
      })();
      const sizes = await allocations(async () => {
        const outcome = await readSafetensors(seed % 2 === 0 ? mutated : source).catch((error: unknown) => error);
        const isRefused = outcome instanceof FileError;
        if (!isRefused && outcome instanceof Error) throw new Error(`seed ${String(seed)}`, { cause: outcome });
        outcomes[isRefused ? "refused" : "read"]++;
      });
      expect(Math.max(...sizes), `seed ${String(seed)}`).toBeLessThanOrEqual(mutated.length);
    }
    // Changes of values and of names are no errors.
    expect(outcomes.read).toBeGreaterThan(50);
    expect(outcomes.refused).toBeGreaterThan(2000);
  });

  test("of one tensor after the other no two are in memory", async () => {
    const names = ["a", "b", "c", "d"];
    const large = writeSafetensors(names.map((name) => [name, floatTensor(new Float32Array(5000), [5000])] as const));
    const start = 8 + Number(new DataView(large.buffer).getBigUint64(0, true));
    for (const source of [large, large.buffer, new Blob([large])]) {
      const sizes = await allocations(async () => {
        const read: string[] = [];
        for await (const [name] of streamSafetensors(source)) read.push(name);
        expect(read).toEqual(names);
      });
      expect(Math.max(...sizes)).toBeLessThanOrEqual(20_000 + start);
    }
  });

  test("a header that promises 2^50 bytes takes no more than has come", async () => {
    const promise = safetensorsFile(
      '{"a":{"dtype":"U8","shape":[1125899906842624],"data_offsets":[0,1125899906842624]}}',
      new Uint8Array(100),
    );
    await expect(readSafetensors(new Blob([promise]).stream(), "w")).rejects.toThrow(
      'w: ends at byte 191; tensor "a" goes on to byte 1,125,899,906,842,715',
    );
  });
});
