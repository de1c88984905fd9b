/** Bytes from wherever a caller has them, in order, a piece at a time. */
import { ArgumentError, show, textOf } from "./errors.js";
import { FileError, grouped } from "./fileError.js";

/** A stream of bytes: a ReadableStream, of any platform. */
interface StreamLike {
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
    cancel(): Promise<void>;
  };
}

/** A Blob, or a File. */
interface BlobLike {
  readonly size: number;
  stream(): StreamLike;
}

/** Bytes, at once or as they come: a fetched body, a file that was dropped on a page, Node's `createReadStream`. */
export type ByteSource = ArrayBuffer | ArrayBufferView | BlobLike | StreamLike | AsyncIterable<Uint8Array>;

type Bytes = Uint8Array;
type Chunks = AsyncIterator<Bytes, unknown, unknown>;

/**
 * The first bytes of what gzip wrote (RFC 1952): two that name it, the method, which is always deflate, flags and the time, and what
 * the method was told: of deflate nothing, or to compress well or fast. The length of a safetensors file's header may begin alike,
 * but then the header's brace follows.
 */
const GZIP = [0x1f, 0x8b, 8] as const;
const GZIP_EXTRA = 8;
const DEFLATE_EXTRA: readonly number[] = [0, 2, 4];

const isGzip = (first: Bytes): boolean =>
  GZIP.every((byte, i) => first[i] === byte) && DEFLATE_EXTRA.includes(first[GZIP_EXTRA]);

/** How much of a piece is decompressed at once: a piece may be a whole file. */
const MOST_COMPRESSED = 2 ** 16;

// eslint-disable-next-line @typescript-eslint/require-await
async function* once(bytes: Bytes): AsyncGenerator<Bytes, void, undefined> {
  yield bytes;
}

/** A stream's chunks. Not every browser's streams can be iterated. */
async function* read(stream: StreamLike): AsyncGenerator<Bytes, void, undefined> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      if (value) yield value;
    }
  } finally {
    // Left early: whoever fills the stream may stop.
    await reader.cancel().catch(() => undefined);
  }
}

/** A small file can hold a great many zeros. */
async function* bounded(
  chunks: AsyncIterable<Bytes>,
  mostInflatedBytes: number,
  file: string,
): AsyncGenerator<Bytes, void, undefined> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > mostInflatedBytes)
      throw new FileError(
        file,
        mostInflatedBytes,
        `is compressed by gzip and unpacks to more than ${grouped(mostInflatedBytes)} bytes; expected at most these, mostInflatedBytes`,
      );
    yield chunk;
  }
}

/** What a source gives, and how many bytes that is where it is known before. */
function open(source: ByteSource, file: string): { readonly chunks: Chunks; readonly size?: number } {
  if (source instanceof ArrayBuffer) return { chunks: once(new Uint8Array(source)), size: source.byteLength };
  if (ArrayBuffer.isView(source)) {
    const { buffer, byteOffset, byteLength } = source;
    return { chunks: once(new Uint8Array(buffer, byteOffset, byteLength)), size: byteLength };
  }
  const given: unknown = source;
  if (typeof given === "object" && given !== null) {
    if ("stream" in source && "size" in source) return { chunks: read(source.stream()), size: source.size };
    if ("getReader" in source) return { chunks: read(source) };
    if (Symbol.asyncIterator in source) return { chunks: source[Symbol.asyncIterator]() as Chunks };
  }
  throw new ArgumentError(
    `${file}: its source is ${show(given)}; expected an ArrayBuffer, a typed array, a Blob, a ReadableStream or an async iterable of bytes`,
  );
}

/**
 * Reads a source from its beginning. Memory is taken for what has come, never for what a header promises.
 */
export class ByteReader {
  /** What the file is called in messages. */
  readonly file: string;
  /** How many bytes there are in all; undefined where only the end will tell. */
  readonly size: number | undefined;
  /** How many bytes were taken. */
  offset = 0;
  readonly #chunks: Chunks;
  /** What has come of the source and was not taken, in order. */
  readonly #pieces: Bytes[] = [];

  private constructor(file: string, chunks: Chunks, size: number | undefined) {
    this.file = file;
    this.#chunks = chunks;
    this.size = size;
  }

  /**
   * Opens a source. One that gzip has compressed is decompressed as it comes; offsets are then those of what was compressed.
   *
   * @param mostInflatedBytes that what gzip compressed may be, where a format's own sizes don't bound it
   * @throws ArgumentError for what is no source
   */
  static async open(source: ByteSource, file: string, mostInflatedBytes = Infinity): Promise<ByteReader> {
    const plain = ByteReader.plain(source, file);
    if (!isGzip(await plain.#peek(GZIP_EXTRA + 1))) return plain;
    const compressed = new ReadableStream<BufferSource>({
      async pull(controller) {
        const piece = await plain.#next(MOST_COMPRESSED);
        if (piece) controller.enqueue(new Uint8Array(piece));
        else controller.close();
      },
      cancel: () => plain.close(),
    });
    const unpacked = compressed.pipeThrough(new DecompressionStream("gzip"));
    return new ByteReader(file, bounded(read(unpacked), mostInflatedBytes, file), undefined);
  }

  /** Opens a source whose bytes are taken as they are, gzip's too. @throws ArgumentError for what is no source */
  static plain(source: ByteSource, file: string): ByteReader {
    const { chunks, size } = open(source, file);
    return new ByteReader(file, chunks, size);
  }

  /** The first bytes, which stay to be taken: as many as asked for, or fewer where the source ends. */
  async #peek(count: number): Promise<Bytes> {
    let length = 0;
    const pieces: Bytes[] = [];
    while (length < count) {
      const piece = await this.#next(Infinity);
      if (!piece) break;
      pieces.push(piece);
      length += piece.length;
    }
    this.#pieces.unshift(...pieces);
    const first = pieces.map((piece) => piece.subarray(0, count));
    return join(
      first,
      first.reduce((sum, piece) => sum + piece.length, 0),
    ).subarray(0, count);
  }

  /** What has come next, at most `most` bytes of it; undefined at the end. */
  async #next(most: number): Promise<Bytes | undefined> {
    const piece = this.#pieces.shift() ?? (await this.#read());
    if (!piece || piece.length <= most) return piece;
    this.#pieces.unshift(piece.subarray(most));
    return piece.subarray(0, most);
  }

  /** The source's next piece; undefined at its end. */
  async #read(): Promise<Bytes | undefined> {
    let chunk: IteratorResult<Bytes, unknown>;
    try {
      chunk = await this.#chunks.next();
    } catch (cause) {
      if (cause instanceof FileError) throw cause;
      throw new FileError(
        this.file,
        this.offset,
        `could not be read on from byte ${String(this.offset)}: ${textOf(cause)}`,
        { cause },
      );
    }
    if (chunk.done) return undefined;
    if (!((chunk.value as unknown) instanceof Uint8Array))
      throw new ArgumentError(`${this.file}: its source gave ${show(chunk.value)}; expected Uint8Arrays`);
    return chunk.value;
  }

  /** The next bytes, in memory of their own: as many as asked for, or fewer where the source ends. */
  async take(count: number): Promise<Uint8Array<ArrayBuffer>> {
    const pieces: Bytes[] = [];
    let length = 0;
    while (length < count) {
      const piece = await this.#next(count - length);
      if (!piece) break;
      pieces.push(piece);
      length += piece.length;
      this.offset += piece.length;
    }
    return join(pieces, length);
  }

  /** Tells the source that no more is wanted. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

/** One after the other, `length` bytes in all, in memory of their own. */
export function join(pieces: readonly Bytes[], length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
