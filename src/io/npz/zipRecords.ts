/** Records of ZIP files (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3): numbers are little-endian. */
import { show } from "../../base/errors.js";
import { FileError, grouped } from "../../base/fileError.js";
import type { ZipBytes } from "./zipBytes.js";

/** The first four bytes of each kind of record. */
export const LOCAL = 0x04034b50;
export const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;

/** Bytes of records, with the four that tell their kind, without what varies. */
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;
const END_64_BYTES = 56;
const LOCATOR_64_BYTES = 20;
/** A comment at the end is no longer. */
const MOST_COMMENT_BYTES = 0xffff;

/** A number that stands in 64 bits elsewhere. */
const ELSEWHERE_32 = 0xffffffff;
const ZIP64 = 1;

const ENCRYPTED = 1 << 0;
const STREAMED = 1 << 3;

export interface Entry {
  readonly name: string;
  readonly method: number;
  /** CRC-32 of what it unpacks to. */
  readonly crc: number;
  readonly packedBytes: number;
  readonly bytes: number;
  /** Whether sizes and sum stand behind the data: the local header has none of them. */
  readonly isStreamed: boolean;
}

/** The bytes of a record behind the four of its kind, which were taken. */
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** The header before a member's data. */
export async function takeLocal(zip: ZipBytes): Promise<Entry> {
  const at = zip.offset - 4;
  const view = viewOf(await zip.take(LOCAL_BYTES - 4, `the header at byte ${grouped(at)}`));
  const { entry } = await takeEntry(zip, at, view, 2, [view.getUint16(22, true), view.getUint16(24, true), 0]);
  return entry;
}

/** A member's record in the directory at the end, and where the member begins. */
async function takeCentral(zip: ZipBytes): Promise<{ readonly entry: Entry; readonly offset: number }> {
  const at = zip.offset - 4;
  const view = viewOf(await zip.take(CENTRAL_BYTES - 4, `the record at byte ${grouped(at)}`));
  const lengths = [24, 26, 28].map((place) => view.getUint16(place, true));
  return takeEntry(zip, at, view, 4, lengths, view.getUint32(38, true));
}

/** What both have: flags at `place`, and behind the record a name, extra fields and a comment. */
async function takeEntry(
  zip: ZipBytes,
  at: number,
  view: DataView,
  place: number,
  [nameBytes, extraBytes, commentBytes]: readonly number[],
  offset = 0,
): Promise<{ readonly entry: Entry; readonly offset: number }> {
  const what = `the record at byte ${grouped(at)}`;
  const name = nameOf(await zip.take(nameBytes, what), zip.file, at);
  const extra = await zip.take(extraBytes, what);
  await zip.take(commentBytes, what);
  const flags = view.getUint16(place, true);
  if (flags & ENCRYPTED)
    throw new FileError(
      zip.file,
      at,
      `member ${show(name)} at byte ${grouped(at)} is encrypted; expected one that is not`,
    );
  const isStreamed = (flags & STREAMED) !== 0;
  const short = {
    bytes: view.getUint32(place + 16, true),
    packedBytes: view.getUint32(place + 12, true),
    offset,
  };
  const long = longNumbers(extra, short);
  if (!long)
    throw new FileError(
      zip.file,
      at,
      `member ${show(name)} at byte ${grouped(at)} has no sizes in 64 bits; expected them among its extra fields`,
    );
  const { bytes, packedBytes } = long;
  const method = view.getUint16(place + 2, true);
  const entry = { name, method, crc: view.getUint32(place + 8, true), packedBytes, bytes, isStreamed };
  return { entry, offset: long.offset };
}

function nameOf(bytes: Uint8Array, file: string, at: number): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    const explanation = `the member at byte ${grouped(at)} has a name that is no UTF-8`;
    throw new FileError(file, at, explanation, { cause });
  }
}

interface Numbers {
  readonly bytes: number;
  readonly packedBytes: number;
  readonly offset: number;
}

/** Numbers that do not fit into 32 bits, one after the other in an extra field; undefined where one is missing. */
function longNumbers(extra: Uint8Array, short: Numbers): Numbers | undefined {
  const names = (["bytes", "packedBytes", "offset"] as const).filter((name) => short[name] === ELSEWHERE_32);
  if (names.length === 0) return short;
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.length;) {
    const [kind, length] = [view.getUint16(at, true), view.getUint16(at + 2, true)];
    at += 4;
    if (kind === ZIP64) {
      if (length < 8 * names.length || at + 8 * names.length > extra.length) return undefined;
      const long = names.map((name, i) => [name, Number(view.getBigUint64(at + 8 * i, true))] as const);
      return { ...short, ...(Object.fromEntries(long) as Partial<Numbers>) };
    }
    at += length;
  }
  return undefined;
}

/** The directory, and with it the rest of the file: members by where they begin. The first four bytes were taken. */
export async function takeDirectory(zip: ZipBytes, first: number): Promise<ReadonlyMap<number, Entry>> {
  const entries = new Map<number, Entry>();
  let kind = first;
  for (; kind === CENTRAL; kind = await zip.kind()) {
    const at = zip.offset - 4;
    const { entry, offset } = await takeCentral(zip);
    const other = entries.get(offset);
    if (other)
      throw new FileError(
        zip.file,
        at,
        `has members ${show(other.name)} and ${show(entry.name)}, both at byte ${grouped(offset)}, in its directory; expected one`,
      );
    entries.set(offset, entry);
  }
  if (kind === END_64) {
    await zip.take(END_64_BYTES - 4, "the record of 64 bits at the end");
    kind = await zip.kind();
    if (kind === LOCATOR_64) {
      await zip.take(LOCATOR_64_BYTES - 4, "the record of 64 bits at the end");
      kind = await zip.kind();
    }
  }
  const at = zip.offset - 4;
  if (kind !== END)
    throw new FileError(
      zip.file,
      at,
      `has 0x${kind.toString(16)} at byte ${grouped(at)}; expected a record of a ZIP file: is this a .npz file?`,
    );
  const end = viewOf(await zip.take(END_BYTES - 4, "the end of the directory"));
  await zip.take(end.getUint16(16, true), "the comment at the end");
  const behind = zip.offset;
  if (await zip.hasMore())
    throw new FileError(zip.file, behind, `goes on at byte ${grouped(behind)}, where the directory ends`);
  return entries;
}

/** Where the directory begins, told by the last bytes of a file; undefined where there is no end. @param start of these bytes in the file */
export function directoryOffset(bytes: Uint8Array, start: number): number | undefined {
  const view = viewOf(bytes);
  const lowest = Math.max(bytes.length - END_BYTES - MOST_COMMENT_BYTES, 0);
  for (let at = bytes.length - END_BYTES; at >= lowest; at--) {
    if (view.getUint32(at, true) !== END || at + END_BYTES + view.getUint16(at + 20, true) !== bytes.length) continue;
    const offset = view.getUint32(at + 16, true);
    const locator = at - LOCATOR_64_BYTES;
    if (offset !== ELSEWHERE_32 || locator < 0 || view.getUint32(locator, true) !== LOCATOR_64) return offset;
    const record = Number(view.getBigUint64(locator + 8, true)) - start;
    const isThere = record >= 0 && record + END_64_BYTES <= bytes.length && view.getUint32(record, true) === END_64;
    return isThere ? Number(view.getBigUint64(record + 48, true)) : undefined;
  }
  return undefined;
}
