/** Members of a ZIP file, one after the other, as their bytes come. */
import { ByteReader } from "../../base/byteReader.js";
import { show, textOf } from "../../base/errors.js";
import { FileError, grouped } from "../../base/fileError.js";
import { crc32 } from "./crc32.js";
import { ZipBytes } from "./zipBytes.js";
import { directoryOffset, type Entry, LOCAL, takeDirectory, takeLocal } from "./zipRecords.js";

const STORED = 0;
const DEFLATED = 8;
/** A bit for a length of 258 and one for its distance: deflate (RFC 1951) makes no more of a byte. */
const MOST_RATIO = 1032;

export interface ZipMember {
  readonly name: string;
  /** What it unpacks to, in memory of its own. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where its data begin in the file. */
  readonly offset: number;
  readonly isDeflated: boolean;
}

/**
 * Gives members in the order of the file, each checked against its sum, then compares with the directory at the end. Members whose
 * sizes stand behind their data (of writers that cannot go back) need that before: the rest of the file is in memory then.
 *
 * @param mostInflatedBytes that deflated members may unpack to, all of them together
 * @throws FileError for what is torn, damaged, encrypted, packed by another method, or not in the directory
 */
export async function* zipMembers(
  reader: ByteReader,
  mostInflatedBytes: number,
): AsyncGenerator<ZipMember, void, undefined> {
  const zip = new ZipBytes(reader);
  const { file } = zip;
  const seen = new Map<number, Entry>();
  let directory: Directory | undefined;
  let inflated = 0;
  let kind = await zip.kind();
  for (; kind === LOCAL; kind = await zip.kind()) {
    const at = zip.offset - 4;
    const local = await takeLocal(zip);
    if (local.isStreamed) directory ??= await lookAhead(zip);
    const entry = local.isStreamed ? streamed(local, directory?.entries.get(at), file, at) : local;
    seen.set(at, entry);
    const what = `member ${show(entry.name)}`;
    const isDeflated = entry.method === DEFLATED;
    if (isDeflated) inflated += entry.bytes;
    requireSizes(entry, inflated, mostInflatedBytes, file, at);
    const offset = zip.offset;
    const packed = await zip.take(entry.packedBytes, what);
    const bytes = isDeflated ? await inflate(packed, entry, file, offset) : packed;
    const sum = crc32(bytes);
    if (sum !== entry.crc)
      throw new FileError(
        file,
        offset,
        `${what} at byte ${grouped(offset)} has the CRC-32 ${hex(sum)}; expected ${hex(entry.crc)}: it is damaged`,
      );
    yield { name: entry.name, bytes, offset, isDeflated };
    if (entry.isStreamed && directory) await passDescriptor(zip, directory, what);
  }
  compare(seen, await takeDirectory(zip, kind), file, zip.offset);
}

const hex = (sum: number): string => `0x${sum.toString(16).padStart(8, "0")}`;

interface Directory {
  /** By where members begin. */
  readonly entries: ReadonlyMap<number, Entry>;
  /** Where it begins. */
  readonly begin: number;
}

/** The directory, which stays to be taken. */
async function lookAhead(zip: ZipBytes): Promise<Directory> {
  const { offset: start, file } = zip;
  const rest = await zip.ahead();
  const begin = (directoryOffset(rest, start) ?? -1) - start;
  if (!(begin >= 0 && begin < rest.length)) {
    const end = start + rest.length;
    throw new FileError(file, end, `ends at byte ${grouped(end)} without a ZIP file's directory`);
  }
  let offset = start + begin;
  const directory = new ZipBytes({
    file,
    get offset() {
      return offset;
    },
    take(count) {
      const bytes = rest.slice(offset - start, offset - start + count);
      offset += bytes.length;
      return Promise.resolve(bytes);
    },
  });
  return { entries: await takeDirectory(directory, await directory.kind()), begin: start + begin };
}

function streamed(local: Entry, entry: Entry | undefined, file: string, at: number): Entry {
  if (entry?.name === local.name && entry.method === local.method) return { ...entry, isStreamed: true };
  throw new FileError(
    file,
    at,
    `member ${show(local.name)} at byte ${grouped(at)} is not in the directory, which alone has its size`,
  );
}

function requireSizes(entry: Entry, inflated: number, most: number, file: string, at: number): void {
  const { name, method, bytes, packedBytes } = entry;
  const fail = (explanation: string): never => {
    throw new FileError(file, at, `member ${show(name)} at byte ${grouped(at)} ${explanation}`);
  };
  if (method !== STORED && method !== DEFLATED)
    fail(
      `is packed by method ${String(method)}; expected ${String(STORED)} (stored) or ${String(DEFLATED)} (deflated)`,
    );
  if (method === STORED && packedBytes !== bytes)
    fail(`is stored, ${grouped(packedBytes)} bytes for ${grouped(bytes)}; expected as many`);
  if (method === DEFLATED && bytes > MOST_RATIO * packedBytes)
    fail(
      `promises ${grouped(bytes)} bytes of ${grouped(packedBytes)}; expected at most ${grouped(MOST_RATIO)} of each, which is all that deflate can do`,
    );
  if (method === DEFLATED && inflated > most)
    fail(
      `makes ${grouped(inflated)} bytes of all that was deflated; expected at most ${grouped(most)}, mostInflatedBytes`,
    );
}

async function inflate(
  packed: Uint8Array<ArrayBuffer>,
  entry: Entry,
  file: string,
  offset: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const what = `member ${show(entry.name)} at byte ${grouped(offset)}`;
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    // What it unpacks to is a member's data, whatever they begin with.
    const reader = ByteReader.plain(unpacked, file);
    try {
      bytes = await reader.take(entry.bytes + 1);
    } finally {
      await reader.close();
    }
  } catch (thrown) {
    const cause = thrown instanceof FileError ? thrown.cause : thrown;
    throw new FileError(file, offset, `${what} cannot be unpacked: ${textOf(cause)}`, { cause });
  }
  if (bytes.length === entry.bytes) return bytes;
  const has = bytes.length > entry.bytes ? "more" : grouped(bytes.length);
  throw new FileError(file, offset, `${what} unpacks to ${has}; expected ${grouped(entry.bytes)} bytes`);
}

/** Sizes and sum behind the data, which the directory has too: up to the next member, or the directory. */
async function passDescriptor(zip: ZipBytes, { entries, begin }: Directory, what: string): Promise<void> {
  const { offset, file } = zip;
  const next = [...entries.keys()].filter((at) => at >= offset);
  const length = Math.min(begin, ...next) - offset;
  if (!DESCRIPTOR_BYTES.includes(length))
    throw new FileError(
      file,
      offset,
      `has ${grouped(length)} bytes behind ${what}, which ends at byte ${grouped(offset)}; expected ${DESCRIPTOR_BYTES.join(", ")}`,
    );
  await zip.take(length, `what stands behind ${what}`);
}
/** A sum and two sizes of 32 or 64 bits, with or without four bytes that tell what it is. */
const DESCRIPTOR_BYTES: readonly number[] = [12, 16, 20, 24];

/** Both must tell the same: a directory that hides members, or has others, is no writer's. */
function compare(
  seen: ReadonlyMap<number, Entry>,
  directory: ReadonlyMap<number, Entry>,
  file: string,
  end: number,
): void {
  for (const [at, entry] of seen) {
    const listed = directory.get(at);
    const isSame =
      listed?.name === entry.name &&
      listed.method === entry.method &&
      listed.crc === entry.crc &&
      listed.bytes === entry.bytes &&
      listed.packedBytes === entry.packedBytes;
    if (!isSame)
      throw new FileError(
        file,
        at,
        `member ${show(entry.name)} at byte ${grouped(at)} is ${listed ? "another" : "not"} in the directory at the file's end`,
      );
  }
  if (seen.size === directory.size) return;
  throw new FileError(
    file,
    end,
    `has ${String(directory.size)} members in the directory at its end; expected ${String(seen.size)}, which are in the file`,
  );
}
