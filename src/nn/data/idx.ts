/**
 * IDX files, in which MNIST and its kin come (http://yann.lecun.com/exdb/mnist/): two zeros, the type of elements, the number of
 * sizes, the sizes as big-endian words of 32 bits, the elements. Compressed ones (.gz) are read as they are.
 */
import { ByteReader, type ByteSource } from "../../base/byteReader.js";
import { require, show } from "../../base/errors.js";
import { FileError, grouped } from "../../base/fileError.js";
import { listOf } from "../../base/list.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import type { Dataset } from "./dataset.js";
import { byteDataset } from "./memory.js";

/** An IDX file of bytes. */
export interface IdxBytes {
  readonly sizes: readonly number[];
  /** As many as the product of the sizes. */
  readonly bytes: Uint8Array;
}

/** The type of elements that datasets of pictures have: bytes from 0 to 255. */
const UNSIGNED_BYTE = 0x08;
const WORD_BYTES = 4;
const DIGITS = Array.from({ length: 10 }, (_, digit) => String(digit));

/**
 * Reads an IDX file of bytes.
 *
 * @param file what messages call the file
 * @param what what its elements are, as in "images": the first size counts them
 * @throws FileError for a file that is torn, longer than its sizes, or of another kind, with the offset
 */
export async function readIdx(source: ByteSource, file: string, what = "items"): Promise<IdxBytes> {
  const reader = await ByteReader.open(source, file);
  try {
    const magic = await reader.take(WORD_BYTES);
    if (magic.length < WORD_BYTES)
      throw new FileError(file, magic.length, `ends at byte ${String(magic.length)}, within its magic number`);
    const [first, second, type, rank] = magic;
    if (first !== 0 || second !== 0 || type !== UNSIGNED_BYTE || rank === 0) {
      const found = [...magic].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
      throw new FileError(
        file,
        0,
        `begins with ${found}; expected 00 00 08, an IDX file of bytes, and the number of its sizes, from 1 on`,
      );
    }
    const words = await reader.take(rank * WORD_BYTES);
    if (words.length < rank * WORD_BYTES)
      throw new FileError(
        file,
        reader.offset,
        `ends at byte ${String(reader.offset)}, within its ${String(rank)} sizes`,
      );
    const view = new DataView(words.buffer);
    const sizes = Array.from({ length: rank }, (_, i) => view.getUint32(i * WORD_BYTES));
    const start = reader.offset;
    const count = sizes.reduce((product, size) => product * size, 1);
    const [items, ...extents] = sizes;
    const promise = `its header promises ${grouped(items)} ${what}${extents.length > 0 ? ` of ${extents.join(" x ")}` : ""}, ${grouped(start + count)} bytes`;
    if (reader.size !== undefined && reader.size < start + count)
      throw new FileError(file, reader.size, `ends at byte ${grouped(reader.size)}; ${promise}`);
    const bytes = await reader.take(count);
    if (bytes.length < count)
      throw new FileError(file, reader.offset, `ends at byte ${grouped(reader.offset)}; ${promise}`);
    if ((await reader.take(1)).length > 0)
      throw new FileError(file, start + count, `goes on at byte ${grouped(start + count)}; ${promise}`);
    return { sizes, bytes };
  } finally {
    await reader.close();
  }
}

/** A file and what messages call it. */
export interface NamedSource {
  readonly source: ByteSource;
  /** Its name; that of a File where it is absent, else what the file should hold. */
  readonly name?: string | undefined;
}

/** A source, alone or with its name. */
export type FileSource = ByteSource | NamedSource;

/** A source and its name: the one that was given, or a File's own. */
export function named(given: FileSource, otherwise: string): { readonly source: ByteSource; readonly file: string } {
  const isNamed = (one: FileSource): one is NamedSource =>
    typeof one === "object" && (one as unknown) !== null && "source" in one;
  const source = isNamed(given) ? given.source : given;
  const own = (source as { readonly name?: unknown } | null | undefined)?.name;
  return { source, file: (isNamed(given) ? given.name : undefined) ?? (typeof own === "string" ? own : otherwise) };
}

/** What {@link idxDataset} takes. */
export interface IdxFiles {
  /** Pictures `[count, height, width]`, such as train-images-idx3-ubyte.gz. */
  readonly images: FileSource;
  /** Their labels `[count]`. */
  readonly labels: FileSource;
  /** What labels mean; "0" to "9" by default. */
  readonly classes?: readonly string[] | undefined;
}
const IDX_KEYS = optionKeys<IdxFiles>({ images: 1, labels: 1, classes: 1 });

/**
 * A dataset of two IDX files: MNIST, Fashion-MNIST, KMNIST. Samples are `[1, height, width]`, from 0 to 1.
 *
 * ```ts
 * const body = async (name: string) => ({ name, source: await (await fetch(name)).blob() });
 * const train = await idxDataset({ images: await body("train-images-idx3-ubyte.gz"), labels: await body("train-labels-idx1-ubyte.gz") });
 * ```
 *
 * @throws FileError for a file as {@link readIdx}, for files that do not belong together, and for labels out of range
 */
export async function idxDataset(files: IdxFiles): Promise<Dataset> {
  requireOptions(files, IDX_KEYS, "files");
  const { images, labels, classes = DIGITS } = files;
  const { length: names } = listOf(classes) ?? [];
  require(names > 0 && names <= 256, () => `classes is ${show(classes)}; expected 1 to 256 names`);
  const pictures = named(images, "images");
  const answers = named(labels, "labels");
  const [{ sizes, bytes: pixels }, answer] = await Promise.all([
    readIdx(pictures.source, pictures.file, "images"),
    readIdx(answers.source, answers.file, "labels"),
  ]);
  if (sizes.length !== 3 || sizes.includes(0))
    throw new FileError(
      pictures.file,
      WORD_BYTES,
      `has sizes ${show(sizes)}; expected [images, height, width], from 1 on`,
    );
  const [count, height, width] = sizes;
  if (answer.sizes.length !== 1)
    throw new FileError(answers.file, WORD_BYTES, `has sizes ${show(answer.sizes)}; expected [labels]`);
  if (answer.bytes.length !== count)
    throw new FileError(
      answers.file,
      WORD_BYTES,
      `has ${grouped(answer.bytes.length)} labels; ${pictures.file} has ${grouped(count)} images`,
    );
  const wrong = answer.bytes.findIndex((label) => label >= classes.length);
  if (wrong >= 0) {
    const offset = 2 * WORD_BYTES + wrong;
    throw new FileError(
      answers.file,
      offset,
      `label ${grouped(wrong)}, at byte ${grouped(offset)}, is ${String(answer.bytes[wrong])}; expected 0 to ${String(classes.length - 1)}`,
    );
  }
  return byteDataset({ pixels, labels: answer.bytes, shape: [1, height, width], classes });
}
