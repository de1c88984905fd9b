/**
 * CIFAR's binary files (https://www.cs.toronto.edu/~kriz/cifar.html): records of a label, or of a coarse and a fine one, and 3,072
 * bytes of a picture: red, green and blue, each 32 rows of 32.
 */
import { ByteReader } from "../../base/byteReader.js";
import { require, show } from "../../base/errors.js";
import { FileError, grouped } from "../../base/fileError.js";
import { isList } from "../../base/list.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { requireWord } from "../../base/spelling.js";
import type { Dataset } from "./dataset.js";
import { type FileSource, named } from "./idx.js";
import { byteDataset } from "./memory.js";

const SHAPE = [3, 32, 32] as const;
const PICTURE_BYTES = 3072;
/** How much is read at once. */
const RECORDS = 256;

const CIFAR_10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/** What a record begins with. */
interface Format {
  readonly labels: number;
  readonly at: number;
  readonly classes: readonly string[];
}

const numbered = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => String(i));

/** Bytes before the picture, which of them is the label, and what it means. */
const KINDS = {
  "cifar-10": { labels: 1, at: 0, classes: CIFAR_10 },
  "cifar-100": { labels: 2, at: 1, classes: numbered(100) },
  "cifar-100-coarse": { labels: 2, at: 0, classes: numbered(20) },
} as const;
/** CIFAR-10; CIFAR-100 by its 100 classes, or by its 20 coarse ones. */
export type CifarKind = keyof typeof KINDS;

/** What {@link cifarDataset} takes. */
export interface CifarFiles {
  /** One file or several, such as data_batch_1.bin to data_batch_5.bin: their records follow one another. */
  readonly files: readonly FileSource[];
  /** Which dataset; "cifar-10" by default. */
  readonly kind?: CifarKind | undefined;
  /** What labels mean; by default CIFAR-10's names, and numbers for CIFAR-100, whose names are in a file of their own. */
  readonly classes?: readonly string[] | undefined;
}
const CIFAR_KEYS = optionKeys<CifarFiles>({ files: 1, kind: 1, classes: 1 });

/**
 * A dataset of CIFAR's binary files, compressed (.gz) or not. Samples are `[3, 32, 32]`, from 0 to 1.
 *
 * @throws FileError for a file that ends within a record or has none, and for labels out of range, with the offset
 */
export async function cifarDataset(options: CifarFiles): Promise<Dataset> {
  requireOptions(options, CIFAR_KEYS);
  const { files, kind = "cifar-10", classes } = options;
  requireWord("kind", kind, Object.keys(KINDS) as CifarKind[]);
  require(isList(files) && files.length > 0, () => `files is ${show(files)}; expected a list of at least one`);
  const format = KINDS[kind];
  const names = classes ?? format.classes;
  require(isList(names) && names.length === format.classes.length, () =>
    `classes is ${show(names)}; expected as many names as ${kind} has, ${String(format.classes.length)}`);
  const pieces: Uint8Array[] = [];
  for (const [i, given] of files.entries()) {
    const { source, file } = named(given, `file ${String(i + 1)}`);
    await readRecords(await ByteReader.open(source, file), format, pieces);
  }
  const record = format.labels + PICTURE_BYTES;
  const count = pieces.reduce((sum, piece) => sum + piece.length / record, 0);
  const pixels = new Uint8Array(count * PICTURE_BYTES);
  const labels = new Uint8Array(count);
  let at = 0;
  for (const piece of pieces) {
    for (let begin = 0; begin < piece.length; begin += record, at++) {
      labels[at] = piece[begin + format.at];
      pixels.set(piece.subarray(begin + format.labels, begin + record), at * PICTURE_BYTES);
    }
  }
  return byteDataset({ pixels, labels, shape: SHAPE, classes: names });
}

/** Adds a file's records to the pieces, some at a time, as they come. */
async function readRecords(reader: ByteReader, format: Format, pieces: Uint8Array[]): Promise<void> {
  const { file } = reader;
  const record = format.labels + PICTURE_BYTES;
  try {
    for (;;) {
      const begin = reader.offset;
      const piece = await reader.take(RECORDS * record);
      const rest = piece.length % record;
      if (rest > 0 || reader.offset === 0) {
        const records = `records of ${grouped(record)} bytes, a label${format.labels > 1 ? " of each kind" : ""} and a picture of 3 x 32 x 32`;
        throw new FileError(
          file,
          reader.offset,
          `ends at byte ${grouped(reader.offset)}, ${grouped(rest)} bytes into a record; expected ${records}`,
        );
      }
      for (let at = format.at; at < piece.length; at += record) {
        if (piece[at] < format.classes.length) continue;
        const offset = begin + at;
        throw new FileError(
          file,
          offset,
          `label of record ${grouped((offset - format.at) / record)}, at byte ${grouped(offset)}, is ${String(piece[at])}; expected 0 to ${String(format.classes.length - 1)}`,
        );
      }
      if (piece.length > 0) pieces.push(piece);
      if (piece.length < RECORDS * record) return;
    }
  } finally {
    await reader.close();
  }
}
