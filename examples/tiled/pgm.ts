/** PGM pictures (P5, 8 bits), read and written by regions: a file may be larger than memory. */
import { type FileHandle, open } from "node:fs/promises";
import type { TileRegion } from "webgpu-conv";

/** The file is no picture that the example reads. */
export class PictureError extends Error {
  override readonly name = "PictureError";
}

const HEADER_BYTES = 1024;
const HEADER = /^P5\s(?:#[^\n]*\n|\s)*(\d+)\s(?:#[^\n]*\n|\s)*(\d+)\s(?:#[^\n]*\n|\s)*(\d+)\s/;

/** A picture in a file. */
export class PgmFile {
  readonly width: number;
  readonly height: number;
  readonly #file: FileHandle;
  readonly #start: number;

  private constructor(file: FileHandle, start: number, width: number, height: number) {
    this.#file = file;
    this.#start = start;
    this.width = width;
    this.height = height;
  }

  static async read(path: string): Promise<PgmFile> {
    const file = await open(path);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
    const match = HEADER.exec(buffer.toString("latin1", 0, bytesRead));
    if (!match || Number(match[3]) !== 255) {
      await file.close();
      throw new PictureError(`${path} is no picture of the kind; expected a PGM file, P5 with 8 bits`);
    }
    return new PgmFile(file, match[0].length, Number(match[1]), Number(match[2]));
  }

  static async create(path: string, width: number, height: number): Promise<PgmFile> {
    const file = await open(path, "w");
    const header = `P5\n${String(width)} ${String(height)}\n255\n`;
    await file.write(header, 0, "latin1");
    return new PgmFile(file, header.length, width, height);
  }

  async readRegion({ begin: [top, left], end: [bottom, right] }: TileRegion): Promise<Uint8Array> {
    const columns = right - left;
    const values = new Uint8Array((bottom - top) * columns);
    for (let row = top; row < bottom; row++) {
      const at = this.#start + row * this.width + left;
      const { bytesRead } = await this.#file.read(values, (row - top) * columns, columns, at);
      if (bytesRead < columns) throw new PictureError(`the file ends in row ${String(row)}`);
    }
    return values;
  }

  /** Values are rounded, and cut to 0 to 255. */
  async writeRegion({ begin: [top, left], end: [, right] }: TileRegion, values: Float32Array): Promise<void> {
    const columns = right - left;
    const bytes = Uint8ClampedArray.from(values);
    for (let first = 0; first < bytes.length; first += columns) {
      const row = top + first / columns;
      await this.#file.write(bytes, first, columns, this.#start + row * this.width + left);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
