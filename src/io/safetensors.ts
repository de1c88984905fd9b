/** Weights in safetensors files, under the names and in the layouts that their writer gave them: PyTorch's. */
import { ByteReader, type ByteSource } from "../base/byteReader.js";
import { FileError, grouped } from "../base/fileError.js";
import { require, show } from "../base/errors.js";
import { ELEMENT_BYTES, requireTensor, type SafeTensor } from "./safeTensor.js";
import { LENGTH_BYTES, METADATA, MOST_HEADER_BYTES, readHeader, type SafeHeader } from "./safetensorsHeader.js";

/** What a file holds. */
export interface SafeTensors {
  /** By name, in the order of their data. Each has memory of its own. */
  readonly tensors: ReadonlyMap<string, SafeTensor>;
  /** Texts by name: PyTorch's files have "format": "pt". */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads a file. Memory is taken for bytes that have come, never for sizes that a header promises.
 *
 * @param file what messages call the file
 * @throws FileError for a file that is torn, damaged or of another kind, with the offset
 */
export async function readSafetensors(source: ByteSource, file = "safetensors"): Promise<SafeTensors> {
  const tensors = new Map<string, SafeTensor>();
  const reading = streamSafetensors(source, file);
  for (;;) {
    const next = await reading.next();
    if (next.done) return { tensors, metadata: next.value };
    tensors.set(...next.value);
  }
}

/**
 * Gives a file's tensors one by one, in the order of their data, so that no more than one is in memory; returns its metadata.
 * Errors as {@link readSafetensors}; what is wrong at a later byte shows when that is read.
 */
export async function* streamSafetensors(
  source: ByteSource,
  file = "safetensors",
): AsyncGenerator<[name: string, tensor: SafeTensor], Readonly<Record<string, string>>, undefined> {
  const reader = await ByteReader.open(source, file);
  try {
    const { entries, metadata } = await takeHeader(reader);
    for (const { name, dtype, shape, begin, end } of entries) {
      const bytes = await reader.take(end - begin);
      if (bytes.length < end - begin)
        throw new FileError(
          file,
          reader.offset,
          `ends at byte ${grouped(reader.offset)}; tensor ${show(name)} goes on to byte ${grouped(end)}`,
        );
      yield [name, { dtype, shape, bytes }];
    }
    const end = reader.offset;
    if ((await reader.take(1)).length > 0)
      throw new FileError(file, end, `goes on at byte ${grouped(end)}, where the last tensor ends`);
    return metadata;
  } finally {
    await reader.close();
  }
}

async function takeHeader(reader: ByteReader): Promise<SafeHeader> {
  const { file, size = Infinity } = reader;
  const start = await reader.take(LENGTH_BYTES);
  if (start.length < LENGTH_BYTES)
    throw new FileError(
      file,
      start.length,
      `ends at byte ${String(start.length)}; expected a header's length in the first ${String(LENGTH_BYTES)} bytes`,
    );
  const promised = new DataView(start.buffer).getBigUint64(0, true);
  const length = Number(promised);
  if (length > MOST_HEADER_BYTES)
    throw new FileError(
      file,
      0,
      `the header's length, at byte 0, is ${String(promised)}; expected at most ${grouped(MOST_HEADER_BYTES)}: is this a safetensors file?`,
    );
  const bytes = await reader.take(length);
  if (bytes.length < length)
    throw new FileError(
      file,
      reader.offset,
      `ends at byte ${grouped(reader.offset)}; its header goes on to byte ${grouped(LENGTH_BYTES + length)}`,
    );
  const header = readHeader(file, bytes);
  const end = header.entries.at(-1)?.end ?? reader.offset;
  if (size < end)
    throw new FileError(
      file,
      size,
      `ends at byte ${grouped(size)}; its header promises tensors up to byte ${grouped(end)}`,
    );
  return header;
}

/**
 * Writes a file: what {@link readSafetensors} gives back, bit for bit. Tensors of larger elements come first, so that all lie at
 * multiples of their size; those of elements alike stay in the order given.
 *
 * @param tensors by name; their bytes are copied
 * @param metadata texts by name; `{ format: "pt" }` is what PyTorch's own writers say
 * @throws ArgumentError for a tensor whose bytes do not fit its shape, a name that the format keeps for itself, metadata of other
 *   types, and more than 100 MB of names and metadata
 */
export function writeSafetensors(
  tensors: Iterable<readonly [name: string, tensor: SafeTensor]>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const entries = entriesOf(tensors).sort(([, a], [, b]) => ELEMENT_BYTES[b.dtype] - ELEMENT_BYTES[a.dtype]);
  require(typeof metadata === "object" && (metadata as unknown) !== null, () =>
    `metadata is ${show(metadata)}; expected texts by name`);
  for (const [key, value] of Object.entries(metadata as Readonly<Record<string, unknown>>)) {
    require(typeof value === "string", () => `metadata ${show(key)} is ${show(value)}; expected a text`);
  }
  const header = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) header.set(METADATA, metadata);
  let end = 0;
  for (const [name, tensor] of entries) {
    require(name !== METADATA, () =>
      `a tensor is named ${show(METADATA)}; safetensors files keep that name for metadata`);
    require(!header.has(name), () => `two tensors are named ${show(name)}; expected a name for each`);
    const begin = end;
    end += tensor.bytes.length;
    header.set(name, { dtype: tensor.dtype, shape: [...tensor.shape], data_offsets: [begin, end] });
  }
  const members = [...header].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  const text = new TextEncoder().encode(`{${members.join(",")}}`);
  // Spaces behind the header let the data begin at a multiple of 8.
  const start = LENGTH_BYTES + Math.ceil(text.length / LENGTH_BYTES) * LENGTH_BYTES;
  require(start - LENGTH_BYTES <= MOST_HEADER_BYTES, () =>
    `names, shapes and metadata take ${grouped(text.length)} bytes; expected at most ${grouped(MOST_HEADER_BYTES)}, which readers take`);
  const bytes = new Uint8Array(start + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - LENGTH_BYTES), true);
  bytes.fill(0x20, LENGTH_BYTES, start);
  bytes.set(text, LENGTH_BYTES);
  let at = start;
  for (const [, tensor] of entries) {
    bytes.set(tensor.bytes, at);
    at += tensor.bytes.length;
  }
  return bytes;
}

/** Tensors with their names. Throws for what is neither a map nor a list of them. */
function entriesOf(tensors: Iterable<readonly [name: string, tensor: SafeTensor]>): (readonly [string, SafeTensor])[] {
  const given: unknown = tensors;
  require(typeof given === "object" && given !== null && Symbol.iterator in given, () =>
    `tensors is ${show(given)}; expected a Map, or a list of [name, tensor]; of an object take Object.entries`);
  const entries = [...tensors];
  for (const entry of entries) {
    const pair: readonly unknown[] = Array.isArray(entry) ? entry : [];
    require(pair.length === 2 && typeof pair[0] === "string", () =>
      `tensors has ${show(entry)}; expected [name, tensor]`);
    requireTensor(...entry);
  }
  return entries;
}
