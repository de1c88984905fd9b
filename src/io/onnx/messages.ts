/** Messages of protocol buffers, of files that may be damaged: nothing is read beyond what holds it. */
import { PbfReader } from "pbf";
import { FileError, grouped } from "../../base/fileError.js";

/** Wire types whose values have a length before them. */
const DELIMITED = 2;

/** A message while it is read: fields of it, one after the other. */
export class Message {
  readonly #pbf: PbfReader;
  readonly #end: number;
  readonly #file: string;
  /** The number of the field that is next. */
  field = 0;

  private constructor(pbf: PbfReader, end: number, file: string) {
    this.#pbf = pbf;
    this.#end = end;
    this.#file = file;
  }

  static of(bytes: Uint8Array, file: string): Message {
    return new Message(new PbfReader(bytes), bytes.length, file);
  }

  /** Whether there is another field: {@link field} is its number then. One that was not read is skipped. */
  next(): boolean {
    if (this.#unread) this.#skip();
    if (this.#pbf.pos >= this.#end) return false;
    const tag = this.#guarded(() => this.#pbf.readVarint());
    this.field = tag >>> 3;
    this.#pbf.type = tag & 7;
    this.#unread = true;
    return true;
  }
  #unread = false;

  integer(): number {
    const value = this.#guarded(() => this.#pbf.readVarint(true));
    this.#unread = false;
    return value;
  }

  float(): number {
    return this.#fixed(4, () => this.#pbf.readFloat());
  }

  text(): string {
    return new TextDecoder().decode(this.bytes());
  }

  /** A view of the file's bytes. */
  bytes(): Uint8Array {
    const [begin, end] = this.#extent();
    this.#pbf.pos = end;
    this.#unread = false;
    return this.#pbf.buf.subarray(begin, end);
  }

  /** Reads a message within this one. */
  message<Value>(read: (message: Message) => Value): Value {
    const [, end] = this.#extent();
    const value = read(new Message(this.#pbf, end, this.#file));
    this.#pbf.pos = end;
    this.#unread = false;
    return value;
  }

  /** Numbers that are packed, or one that is not. */
  integers(into: number[]): void {
    this.#repeated(into, () => this.#pbf.readVarint(true));
  }

  floats(into: number[]): void {
    this.#repeated(into, () => this.#fixed(4, () => this.#pbf.readFloat()));
  }

  doubles(into: number[]): void {
    this.#repeated(into, () => this.#fixed(8, () => this.#pbf.readDouble()));
  }

  error(explanation: string): FileError {
    return new FileError(this.#file, this.#pbf.pos, explanation);
  }

  #repeated(into: number[], read: () => number): void {
    if (this.#pbf.type === DELIMITED) {
      const [, end] = this.#extent();
      while (this.#pbf.pos < end) into.push(this.#guarded(read));
    } else into.push(this.#guarded(read));
    this.#unread = false;
  }

  #fixed(bytes: number, read: () => number): number {
    if (this.#pbf.pos + bytes > this.#end) throw this.#torn(this.#pbf.pos + bytes);
    const value = read();
    this.#unread = false;
    return value;
  }

  /** Where a field with a length begins and ends. */
  #extent(): readonly [begin: number, end: number] {
    if (this.#pbf.type !== DELIMITED)
      throw this.error(
        `has a field ${String(this.field)} of wire type ${String(this.#pbf.type)} at byte ${grouped(this.#pbf.pos)}; expected ${String(DELIMITED)}: is this an ONNX file?`,
      );
    const length = this.#guarded(() => this.#pbf.readVarint());
    const begin = this.#pbf.pos;
    if (!(begin + length <= this.#end)) throw this.#torn(begin + length);
    return [begin, begin + length];
  }

  #skip(): void {
    this.#unread = false;
    const fixed = { 1: 8, 5: 4 }[this.#pbf.type];
    if (this.#pbf.type === 0) this.#guarded(() => this.#pbf.readVarint());
    else if (fixed !== undefined) this.#fixed(fixed, () => (this.#pbf.pos += fixed));
    else [, this.#pbf.pos] = this.#extent();
  }

  /** Numbers of variable length that go on beyond what holds them, or for ever. */
  #guarded(read: () => number): number {
    const begin = this.#pbf.pos;
    if (begin >= this.#end) throw this.#torn(begin + 1);
    let value: number;
    try {
      value = read();
    } catch (cause) {
      if (cause instanceof FileError) throw cause;
      throw new FileError(this.#file, begin, `has no number at byte ${grouped(begin)}: is this an ONNX file?`, {
        cause,
      });
    }
    if (this.#pbf.pos > this.#end) throw this.#torn(this.#pbf.pos);
    return value;
  }

  #torn(end: number): FileError {
    return this.error(
      `ends at byte ${grouped(this.#end)}, within what goes on to byte ${grouped(end)}: it is torn, or no ONNX file`,
    );
  }
}
