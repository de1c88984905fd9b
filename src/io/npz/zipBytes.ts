/** The bytes of a ZIP file, in order; from a point on all of them may be looked at. */
import type { ByteReader } from "../../base/byteReader.js";
import { FileError, grouped } from "../../base/fileError.js";

export class ZipBytes {
  readonly #reader: Pick<ByteReader, "file" | "offset" | "take">;
  /** What was read ahead, and how much of it was taken. */
  #ahead: Uint8Array<ArrayBuffer> | undefined;
  #taken = 0;

  constructor(reader: Pick<ByteReader, "file" | "offset" | "take">) {
    this.#reader = reader;
  }

  get file(): string {
    return this.#reader.file;
  }

  /** How many bytes were taken. */
  get offset(): number {
    return this.#reader.offset - (this.#ahead ? this.#ahead.length - this.#taken : 0);
  }

  /** The next bytes, in memory of their own. @throws FileError where the file ends before, with what it is that goes on */
  async take(count: number, what: string): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = this.#ahead ? this.#ahead.slice(this.#taken, this.#taken + count) : await this.#reader.take(count);
    this.#taken += bytes.length;
    const { offset } = this;
    if (bytes.length === count) return bytes;
    const end = grouped(offset - bytes.length + count);
    throw new FileError(this.file, offset, `ends at byte ${grouped(offset)}; ${what} goes on to byte ${end}`);
  }

  /** The four bytes that tell the kind of the next record. */
  async kind(): Promise<number> {
    return new DataView((await this.take(4, "a record")).buffer).getUint32(0, true);
  }

  async hasMore(): Promise<boolean> {
    if (this.#ahead) return this.#taken < this.#ahead.length;
    return (await this.#reader.take(1)).length > 0;
  }

  /** All bytes to come, which stay to be taken: they are in memory from now on. */
  async ahead(): Promise<Uint8Array<ArrayBuffer>> {
    if (!this.#ahead) {
      this.#ahead = await this.#reader.take(Infinity);
      this.#taken = 0;
    }
    return this.#ahead.subarray(this.#taken);
  }
}
