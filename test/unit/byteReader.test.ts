/** Bytes of every kind of source, in pieces of any size, compressed or not. */
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync as gzipInPool } from "node:zlib";
import { describe, expect, test, vi } from "vitest";
import { ByteReader, type ByteSource } from "../../src/base/byteReader.js";
import { FileError } from "../../src/base/fileError.js";

const BYTES = Uint8Array.from({ length: 1000 }, (_, i) => (i * 37) % 256);

/** Compressed, in memory of its own: Node's buffers may be parts of others'. */
const gzipSync = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(gzipInPool(bytes));

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) {
    await Promise.resolve();
    yield bytes.subarray(at, at + size);
  }
}

/** The same bytes from all that may be a source. */
const sources = (bytes: Uint8Array): Readonly<Record<string, ByteSource>> => ({
  "an ArrayBuffer": bytes.slice().buffer,
  "a typed array within a buffer": new Uint8Array([9, ...bytes, 9]).subarray(1, bytes.length + 1),
  "a DataView": new DataView(new Uint8Array([9, ...bytes]).buffer, 1),
  "a Blob": new Blob([bytes.slice()]),
  "a stream": new Response(bytes.slice()).body as ReadableStream<Uint8Array>,
  "an iterable of single bytes": pieces(bytes, 1),
  "an iterable of pieces, empty ones too": (async function* () {
    for await (const piece of pieces(bytes, 333)) {
      yield new Uint8Array(0);
      yield piece;
    }
  })(),
});

describe.each(Object.keys(sources(BYTES)))("%s", (kind) => {
  test.each([false, true])("gives its bytes in order, compressed: %s", async (isCompressed) => {
    const source = sources(isCompressed ? gzipSync(BYTES) : BYTES)[kind];
    const reader = await ByteReader.open(source, "file");
    expect(reader.offset).toBe(0);
    const taken: number[] = [];
    for (const count of [0, 1, 2, 3, 500, 494]) {
      const piece = await reader.take(count);
      expect(piece).toHaveLength(count);
      taken.push(...piece);
      expect(reader.offset).toBe(taken.length);
    }
    expect(taken).toEqual([...BYTES]);
    expect(await reader.take(10)).toHaveLength(0);
    await reader.close();
  });

  test("that ends early gives what there is", async () => {
    const reader = await ByteReader.open(sources(BYTES)[kind], "file");
    expect([...(await reader.take(2 ** 50))]).toEqual([...BYTES]);
    expect(reader.offset).toBe(1000);
  });

  test.each([0, 1])("of %i bytes is no compressed one", async (count) => {
    const reader = await ByteReader.open(sources(BYTES.subarray(0, count))[kind], "file");
    expect(await reader.take(9)).toHaveLength(count);
  });
});

describe("a source", () => {
  test("tells its size where it has one and is not compressed", async () => {
    const sizes: Record<string, number | undefined> = {};
    for (const [kind, source] of Object.entries(sources(BYTES)))
      sizes[kind] = (await ByteReader.open(source, "file")).size;
    expect(Object.values(sizes)).toEqual([1000, 1000, 1000, 1000, undefined, undefined, undefined]);
    expect((await ByteReader.open(gzipSync(BYTES), "file")).size).toBeUndefined();
  });

  test("may be a file that Node reads", async () => {
    const folder = mkdtempSync(join(tmpdir(), "webgpu-conv-bytes-"));
    writeFileSync(join(folder, "file"), BYTES);
    const reader = await ByteReader.open(createReadStream(join(folder, "file")), "file");
    expect([...(await reader.take(1001))]).toEqual([...BYTES]);
    rmSync(folder, { recursive: true });
  });

  test("gives memory of its own", async () => {
    const bytes = BYTES.slice();
    const reader = await ByteReader.open(bytes, "file");
    const taken = await reader.take(5);
    taken.fill(0);
    expect(bytes).toEqual(BYTES);
  });

  test("that is large is not copied whole, compressed or not", async () => {
    let largest = 0;
    const file = Uint8Array.from({ length: 2 ** 20 }, (_, i) => Math.imul(i ^ (i >>> 7), 0x9e3779b1) >>> 24);
    const packed = gzipSync(file);
    const recording = new Proxy(Uint8Array, {
      construct(constructor, given: [unknown]) {
        const bytes = Reflect.construct(constructor, given) as Uint8Array;
        // Not those on memory that there was.
        if (!(given[0] instanceof ArrayBuffer)) largest = Math.max(largest, bytes.length);
        return bytes;
      },
    });
    vi.stubGlobal("Uint8Array", recording);
    try {
      for (const source of [file, file.buffer, packed]) {
        const reader = await ByteReader.open(source, "file");
        for (let at = 0; at < file.length; at += 1000) await reader.take(1000);
        expect(reader.offset).toBe(file.length);
      }
    } finally {
      vi.unstubAllGlobals();
    }
    expect(packed.length).toBeGreaterThan(2 ** 17);
    expect(largest).toBeLessThanOrEqual(2 ** 16);
  });

  test("that begins as gzip does, but is none, is read as it is", async () => {
    for (const head of [
      [0x1f, 0x8b, 1, 0, 0, 0, 0, 0, 0x7b],
      [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0x7b],
      [0x1f, 0x8b, 8],
    ]) {
      const reader = await ByteReader.open(pieces(Uint8Array.from(head), 2), "file");
      expect([...(await reader.take(20))]).toEqual(head);
    }
  });

  test("that is left early is told", async () => {
    let ended = false;
    const source = (async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield* pieces(BYTES, 10);
      } finally {
        ended = true;
      }
    })();
    const reader = await ByteReader.open(source, "file");
    await reader.take(15);
    await reader.close();
    expect(ended).toBe(true);
  });

  test("that fails gives its reason, and where", async () => {
    const source = (async function* (): AsyncGenerator<Uint8Array> {
      yield* pieces(BYTES.subarray(0, 20), 10);
      throw new Error("the network is gone");
    })();
    const reader = await ByteReader.open(source, "weights");
    const error = await reader.take(30).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(FileError);
    expect(error).toMatchObject({
      message: "weights: could not be read on from byte 20: Error: the network is gone",
      offset: 20,
      file: "weights",
    });
  });

  test("whose compressed data are damaged or torn says so", async () => {
    const compressed = gzipSync(BYTES);
    const torn = await ByteReader.open(compressed.subarray(0, compressed.length - 20), "torn.gz");
    await expect(torn.take(1000)).rejects.toThrow(/^torn\.gz: could not be read on from byte \d+: /);
    const damaged = Uint8Array.from(compressed);
    damaged[compressed.length - 6] ^= 1; // Its checksum.
    const reader = await ByteReader.open(damaged, "damaged.gz");
    await expect(reader.take(1001)).rejects.toThrow(FileError);
  });

  test.each([null, undefined, 5, "text", {}, [1, 2]])("is not %j", async (source) => {
    await expect(ByteReader.open(source as never, "file")).rejects.toThrow(
      "expected an ArrayBuffer, a typed array, a Blob",
    );
  });

  test("of texts is refused", async () => {
    const texts = (async function* () {
      await Promise.resolve();
      yield "text";
    })();
    await expect(ByteReader.open(texts as never, "file")).rejects.toThrow(
      'file: its source gave "text"; expected Uint8Arrays',
    );
  });
});
