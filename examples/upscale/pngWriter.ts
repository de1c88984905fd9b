/** A PNG file that is written row by row, so that a picture larger than memory can be. */
import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createDeflate } from "node:zlib";
import { PictureError } from "../filters/pictureFile.js";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const RGB = 2;
/** Each byte minus the one above it. */
const FILTER_UP = 2;
const SAMPLES = 3;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

/** The checksum of a chunk: CRC-32 of ISO 3309. */
function crcOf(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function chunkOf(type: string, data: Uint8Array): Uint8Array {
  const chunk = new Uint8Array(12 + data.length);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, data.length);
  chunk.set(new TextEncoder().encode(type), 4);
  chunk.set(data, 8);
  view.setUint32(8 + data.length, crcOf(chunk.subarray(4, 8 + data.length)));
  return chunk;
}

function header(width: number, height: number): Uint8Array {
  const data = new Uint8Array(13);
  const view = new DataView(data.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  data.set([8, RGB], 8);
  return data;
}

/** Red, green and blue, 8 bits each. Write all rows, in their order, then end it. */
export class PngWriter {
  readonly #width: number;
  readonly #height: number;
  readonly #file: WriteStream;
  readonly #deflate = createDeflate({ level: 6 });
  readonly #copied: Promise<void>;
  #above: Uint8Array;
  #rows = 0;

  constructor(path: string, width: number, height: number) {
    this.#width = width;
    this.#height = height;
    this.#above = new Uint8Array(SAMPLES * width);
    this.#file = createWriteStream(path);
    this.#copied = pipeline(this.#deflate, (data: AsyncIterable<Uint8Array>) => this.#chunks(data), this.#file);
    // Whoever writes or ends it is told.
    this.#copied.catch(() => undefined);
  }

  async *#chunks(deflated: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    yield SIGNATURE;
    yield chunkOf("IHDR", header(this.#width, this.#height));
    for await (const data of deflated) yield chunkOf("IDAT", data);
    yield chunkOf("IEND", new Uint8Array());
  }

  /** @param pixels of whole rows, which are those after the ones that were written before. Rejects where the file could not be written */
  async writeRows(pixels: Uint8Array): Promise<void> {
    const bytes = SAMPLES * this.#width;
    const rows = pixels.length / bytes;
    if (!Number.isInteger(rows) || this.#rows + rows > this.#height) {
      throw new RangeError(
        `${String(pixels.length)} bytes after row ${String(this.#rows)} of ${String(this.#height)}; expected whole rows of ${String(bytes)} bytes`,
      );
    }
    // It was destroyed by what the file failed of.
    if (this.#deflate.destroyed) return this.#copied;
    const filtered = new Uint8Array(rows * (bytes + 1));
    for (let row = 0; row < rows; row++) {
      const line = pixels.subarray(row * bytes, (row + 1) * bytes);
      const to = row * (bytes + 1);
      filtered[to] = FILTER_UP;
      for (let i = 0; i < bytes; i++) filtered[to + 1 + i] = line[i] - this.#above[i];
      this.#above = line;
    }
    this.#above = this.#above.slice();
    this.#rows += rows;
    if (!this.#deflate.write(filtered)) await Promise.race([once(this.#deflate, "drain"), this.#copied]);
  }

  /** Resolves once the file is whole. */
  async end(): Promise<void> {
    if (this.#rows < this.#height)
      throw new RangeError(`${String(this.#rows)} of ${String(this.#height)} rows were written`);
    this.#deflate.end();
    await this.#copied;
  }

  /** Of a picture that does not become whole. */
  async abandon(): Promise<void> {
    this.#deflate.destroy();
    if (!this.#file.closed) {
      const closed = once(this.#file, "close");
      this.#file.destroy();
      await closed.catch(() => undefined);
    }
  }
}

/**
 * Writes a picture beside the file at first, as `.part`, which takes its place once it is whole: what was there stays until then, and
 * where `write` fails.
 *
 * @returns what `write` gives
 */
export async function writePng<Result>(
  path: string,
  width: number,
  height: number,
  write: (png: PngWriter) => Promise<Result>,
): Promise<Result> {
  const there = await stat(path).catch(() => undefined);
  if (there && !there.isFile())
    throw new PictureError(`${path} is there and no file; expected one, which is replaced, or nothing`);
  const part = `${path}.part`;
  const png = new PngWriter(part, width, height);
  try {
    const result = await write(png);
    await png.end();
    await rename(part, path);
    return result;
  } catch (error) {
    await png.abandon();
    await rm(part, { force: true });
    throw error;
  }
}
