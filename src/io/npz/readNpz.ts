/** Arrays that numpy wrote: .npy files have one, .npz files several by name. */
import { ByteReader, type ByteSource } from "../../base/byteReader.js";
import { require, show } from "../../base/errors.js";
import { FileError, grouped } from "../../base/fileError.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import type { SafeTensor } from "../safeTensor.js";
import { npyTensor } from "./npyData.js";
import { npyExtent, npyHeader, START_BYTES } from "./npyHeader.js";
import { type ZipMember, zipMembers } from "./zip.js";

export interface NpzOptions {
  /**
   * How many bytes deflated arrays may unpack to, all of them together; likewise a whole file that gzip compressed. 2 GiB when absent. A
   * small file can hold a great many zeros.
   */
  readonly mostInflatedBytes?: number;
}
const OPTIONS = optionKeys<NpzOptions>({ mostInflatedBytes: 1 });
const MOST_INFLATED_BYTES = 2 ** 31;

function readMost(options: NpzOptions): number {
  requireOptions(options, OPTIONS);
  const { mostInflatedBytes = MOST_INFLATED_BYTES } = options;
  require(mostInflatedBytes >= 0, () => `mostInflatedBytes is ${show(mostInflatedBytes)}; expected a number from 0 on`);
  return mostInflatedBytes;
}

/** What a file holds. */
export interface NpzTensors {
  /** By name, without ".npy", in the order of the file. Each has memory of its own. */
  readonly tensors: ReadonlyMap<string, SafeTensor>;
}

/**
 * Reads what `numpy.savez` or `numpy.savez_compressed` wrote: floats, whole numbers and booleans as the file has them, row-major and
 * little-endian, whichever order they were written in. `floatValues` gives float32 of floats, float64 rounded to the nearest.
 *
 * ```ts
 * const { tensors } = await readNpz(await file.arrayBuffer(), file.name);
 * await loadState(net, tensors); // of webgpu-conv/nn
 * ```
 *
 * Memory is taken for bytes that have come, never for sizes that a header promises.
 *
 * @param file what messages call the file
 * @throws FileError for a file that is torn, damaged (every member has a checksum), encrypted or of another kind, for members of other
 *   types (complex numbers, texts, Python's objects), two of a name, and what is no .npy, with the offset
 */
export async function readNpz(source: ByteSource, file = "npz", options: NpzOptions = {}): Promise<NpzTensors> {
  const tensors = new Map<string, SafeTensor>();
  for await (const [name, tensor] of streamNpz(source, file, options)) tensors.set(name, tensor);
  return { tensors };
}

/**
 * Gives a file's arrays one by one, so that no more than one is in memory, but of files that were written into a pipe. Errors as
 * {@link readNpz}; what is wrong at a later byte shows when that is read, the directory at the file's end among it.
 */
export async function* streamNpz(
  source: ByteSource,
  file = "npz",
  options: NpzOptions = {},
): AsyncGenerator<[name: string, tensor: SafeTensor], void, undefined> {
  const mostInflatedBytes = readMost(options);
  const reader = await ByteReader.open(source, file, mostInflatedBytes);
  const names = new Set<string>();
  try {
    for await (const member of zipMembers(reader, mostInflatedBytes)) {
      const { name: full, bytes, offset } = member;
      if (full.endsWith("/") && bytes.length === 0) continue;
      const name = full.replace(/\.npy$/, "");
      if (name === full)
        throw new FileError(
          file,
          offset,
          `member ${show(full)} at byte ${grouped(offset)} is no .npy, which all should be`,
        );
      if (names.has(name)) throw new FileError(file, offset, `two members are named ${show(full)}`);
      names.add(name);
      yield [name, memberTensor(member, file)];
    }
  } finally {
    await reader.close();
  }
}

/** Of a member that is all there: bytes of one that was deflated have no place in the file, and errors have that of the member. */
function memberTensor({ name, bytes, offset, isDeflated }: ZipMember, file: string): SafeTensor {
  const fail = (at: number, explanation: string): never => {
    const place = isDeflated ? offset : offset + at;
    throw new FileError(file, place, `member ${show(name)}, from byte ${grouped(offset)} on, ${explanation}`);
  };
  const [begin, end] = npyExtent(bytes.subarray(0, START_BYTES), fail);
  if (bytes.length < end) fail(bytes.length, `has ${grouped(bytes.length)} bytes; its header has ${grouped(end)}`);
  const header = npyHeader(bytes.subarray(begin, end), begin, fail);
  const data = bytes.subarray(end);
  if (data.length !== header.bytes)
    fail(
      end,
      `has ${grouped(data.length)} bytes of data; expected ${grouped(header.bytes)}, for ${show(header.shape)} of ${header.dtype}`,
    );
  return npyTensor(header, data);
}

/**
 * Reads what `numpy.save` wrote, one array. Types, order and memory as {@link readNpz}.
 *
 * @param file what messages call the file
 * @throws FileError for a file that is torn, damaged or of another kind, and for other types, with the offset
 */
export async function readNpy(source: ByteSource, file = "npy", options: NpzOptions = {}): Promise<SafeTensor> {
  const reader = await ByteReader.open(source, file, readMost(options));
  const fail = (offset: number, explanation: string): never => {
    throw new FileError(file, offset, explanation);
  };
  const take = async (count: number, what: string): Promise<Uint8Array<ArrayBuffer>> => {
    const goal = reader.offset + count;
    const bytes = await reader.take(count);
    if (bytes.length < count)
      fail(reader.offset, `ends at byte ${grouped(reader.offset)}; its ${what} to byte ${grouped(goal)}`);
    return bytes;
  };
  try {
    const start = await reader.take(START_BYTES);
    const [begin, end] = npyExtent(start, fail);
    const rest = await take(end - START_BYTES, "header goes on");
    const text = new Uint8Array(end - begin);
    // Of version 1 two bytes of the header are among the first ones.
    text.set(start.subarray(begin));
    text.set(rest, START_BYTES - begin);
    const header = npyHeader(text, begin, fail);
    const data = await take(header.bytes, `${show(header.shape)} of ${header.dtype} go on`);
    const last = reader.offset;
    if ((await reader.take(1)).length > 0) fail(last, `goes on at byte ${grouped(last)}, where the data end`);
    return npyTensor(header, data);
  } finally {
    await reader.close();
  }
}
