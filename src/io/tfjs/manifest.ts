/** The weights of a tfjs model: a manifest says which tensors lie one after the other in which files. */
import { ByteReader, type ByteSource, join } from "../../base/byteReader.js";
import { FileError, grouped } from "../../base/fileError.js";
import { show } from "../../base/errors.js";
import { decodeHalves } from "../../base/half.js";
import { elementsOf, floatTensor, type SafeTensor } from "../safeTensor.js";
import { fieldOf, isIntegers, isNumber, isRecord, isText, listField, type Place } from "./json.js";

/** Gives a file that a manifest names, as it stands beside the model: "group1-shard1of1.bin". */
export type ShardSource = (path: string) => ByteSource | Promise<ByteSource>;

/** What weights of zeros may take in all: nothing has come that would justify more. */
const MOST_ZEROS = 2 ** 30;

/** How values are stored. */
interface Stored {
  readonly bytes: number;
  readonly values: (bytes: Uint8Array<ArrayBuffer>) => Float32Array;
}

const FLOAT32: Stored = { bytes: 4, values: ({ buffer }) => new Float32Array(buffer) };
const FLOAT16: Stored = {
  bytes: 2,
  values({ buffer }) {
    const halves = new Uint16Array(buffer);
    const values = new Float32Array(halves.length);
    decodeHalves(halves, values);
    return values;
  },
};

/** Whole numbers from 0 on, which stand for `min + scale * number`. */
function quantised(bytes: 1 | 2, scale: number, min: number): Stored {
  return {
    bytes,
    values: ({ buffer }) =>
      Float32Array.from<number>(bytes === 1 ? new Uint8Array(buffer) : new Uint16Array(buffer), (q) => q * scale + min),
  };
}

/**
 * Reads the weights that a manifest lists: float32, or stored as float16, uint8 or uint16. Memory is taken for bytes that have come.
 *
 * @param shard undefined where all stored numbers are to be zeros, of up to 1 GiB
 * @throws FileError for a manifest that is none, other types, and for files that end early or go on
 */
export async function readManifest(
  manifest: unknown,
  shard: ShardSource | undefined,
  place: Place,
): Promise<Map<string, SafeTensor>> {
  const weights = new Map<string, SafeTensor>();
  const zeros = new Zeros(place);
  if (!Array.isArray(manifest)) throw place.error(`weightsManifest is ${show(manifest)}; expected a list of groups`);
  for (const group of manifest as unknown[]) {
    if (!isRecord(group))
      throw place.error(`a group of weightsManifest is ${show(group)}; expected { paths, weights }`);
    const paths = listField(group, "paths", isText, place);
    const files: Stores = shard ? new Shards(paths, shard, place) : zeros;
    try {
      for (const entry of listField(group, "weights", isRecord, place)) {
        const name = fieldOf(entry, "name", isText, place);
        if (weights.has(name)) throw place.error(`weightsManifest has ${show(name)} twice`);
        weights.set(name, await readWeight(name, entry, files, place));
      }
      await files.requireEnd();
    } finally {
      await files.close();
    }
  }
  return weights;
}

async function readWeight(
  name: string,
  entry: Readonly<Record<string, unknown>>,
  files: Stores,
  place: Place,
): Promise<SafeTensor> {
  const own = place.within(`weight ${show(name)}`);
  const shape = fieldOf(entry, "shape", isIntegers, own);
  const elements = elementsOf(shape);
  if (!Number.isSafeInteger(elements)) throw own.error(`has shape ${show(shape)}; expected fewer elements`);
  const stored = storedAs(entry, own);
  const bytes = await files.take(elements * stored.bytes, name);
  return floatTensor(stored.values(bytes), shape);
}

function storedAs(entry: Readonly<Record<string, unknown>>, place: Place): Stored {
  const dtype = fieldOf(entry, "dtype", isText, place);
  if (dtype !== "float32") throw place.error(`has dtype ${show(dtype)}; expected float32, as it is or quantised`);
  const { quantization } = entry;
  if (quantization === undefined) return FLOAT32;
  if (!isRecord(quantization))
    throw place.error(`has quantization ${show(quantization)}; expected { dtype, scale, min }`);
  const kind = fieldOf(quantization, "dtype", isText, place);
  if (kind === "float16") return FLOAT16;
  if (kind !== "uint8" && kind !== "uint16")
    throw place.error(`is quantised to ${show(kind)}; expected uint8, uint16 or float16`);
  const [scale, min] = ["scale", "min"].map((name) => fieldOf(quantization, name, isNumber, place));
  return quantised(kind === "uint8" ? 1 : 2, scale, min);
}

/** Where stored numbers come from, one after the other. */
interface Stores {
  /** The next bytes, in memory of their own. */
  take(count: number, name: string): Promise<Uint8Array<ArrayBuffer>>;
  /** Throws where there is more than was taken. */
  requireEnd(): Promise<void>;
  close(): Promise<void>;
}

class Zeros implements Stores {
  readonly #place: Place;
  #taken = 0;

  constructor(place: Place) {
    this.#place = place;
  }

  take(count: number, name: string): Promise<Uint8Array<ArrayBuffer>> {
    this.#taken += count;
    if (this.#taken > MOST_ZEROS)
      throw this.#place.error(
        `weightsManifest lists ${grouped(this.#taken)} bytes up to ${show(name)}; expected at most ${grouped(MOST_ZEROS)} where no file has come`,
      );
    return Promise.resolve(new Uint8Array(count));
  }

  requireEnd(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** The bytes of a group's files, one file after the other. */
class Shards implements Stores {
  readonly #paths: readonly string[];
  readonly #source: ShardSource;
  readonly #place: Place;
  #opened = 0;
  #reader: ByteReader | undefined;

  constructor(paths: readonly string[], source: ShardSource, place: Place) {
    this.#paths = paths;
    this.#source = source;
    this.#place = place;
  }

  /** A tensor may begin in one file and end in the next. */
  async take(count: number, name: string): Promise<Uint8Array<ArrayBuffer>> {
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    let length = 0;
    while (length < count) {
      if (!this.#reader && this.#opened === this.#paths.length)
        throw this.#place.error(
          `weightsManifest lists no file that has ${show(name)}: its group has ${show(this.#paths)}`,
        );
      const reader = this.#reader ?? (await this.#open());
      const piece = await reader.take(count - length);
      pieces.push(piece);
      length += piece.length;
      if (length < count) await this.#leave(reader, count - length, name);
    }
    return pieces.length === 1 ? pieces[0] : join(pieces, length);
  }

  async requireEnd(): Promise<void> {
    for (;;) {
      const reader = this.#reader ?? (this.#opened < this.#paths.length ? await this.#open() : undefined);
      if (!reader) return;
      const end = reader.offset;
      if ((await reader.take(1)).length > 0)
        throw new FileError(reader.file, end, `goes on at byte ${grouped(end)}, where the last weight ends`);
      await this.close();
    }
  }

  /** Leaves the file that is open. */
  async close(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    await reader?.close();
  }

  async #open(): Promise<ByteReader> {
    const path = this.#paths[this.#opened++];
    this.#reader = await ByteReader.open(await this.#source(path), path);
    return this.#reader;
  }

  /** At the end of a file: the next one has the rest, where there is one. */
  async #leave(reader: ByteReader, missing: number, name: string): Promise<void> {
    if (this.#opened === this.#paths.length)
      throw new FileError(
        reader.file,
        reader.offset,
        `ends at byte ${grouped(reader.offset)}; weight ${show(name)} has ${grouped(missing)} bytes more`,
      );
    await this.close();
  }
}
