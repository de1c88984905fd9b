/** safetensors files: bit for bit round trips, what the format's own library writes, and values. */
import { describe, expect, test } from "vitest";
import {
  floatTensor,
  floatValues,
  readSafetensors,
  type SafeTensor,
  streamSafetensors,
  writeSafetensors,
} from "webgpu-conv/io";
import { Random } from "webgpu-conv/nn";
import { safetensorsFile } from "../../support/safetensorsFile.js";

const random = new Random(1);
/** Any bits, NaN of every payload among them. */
const anyBytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => random.below(256));

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
    const file = safetensorsFile(
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
    expect(() => floatValues(count)).toThrow("a tensor of shape [] has dtype I64; expected F32, F16, BF16 or F64");
    expect(() => floatTensor(new Float32Array(3), [2, 2])).toThrow("shape [2, 2] has 4 elements; there are 3 values");
    expect(() => floatTensor(Int32Array.of(1, 2) as never, [2])).toThrow(
      "values is Int32Array; expected a Float32Array",
    );
    expect(() => floatTensor(new Float32Array(1), undefined as never)).toThrow(
      "shape is undefined; expected whole sizes",
    );
    expect(() => floatTensor(new Float32Array(1), [1], "F64" as never)).toThrow(
      'dtype is "F64"; expected "F32" or "F16"',
    );
    const odd: SafeTensor = { dtype: "F32", shape: [2], bytes: new Uint8Array(7) };
    expect(() => floatValues(odd)).toThrow('tensor "values" has 7 bytes; expected 8, for [2] of F32');
    expect(() => floatValues(undefined as never)).toThrow("is undefined; expected { dtype, shape, bytes }");
  });
});
