/** .npy and .npz files as bytes, however wrong. */

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

export const joined = (...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(parts.flatMap((part) => [...part]));

const number = (bytes: number, value: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, i) => Math.floor(value / 2 ** (8 * i)) % 256);
const u16 = (value: number): Uint8Array => number(2, value);
const u32 = (value: number): Uint8Array => number(4, value);
const u64 = (value: number): Uint8Array => number(8, value);

/** A .npy file with this text as its header. */
export function npyFile(header: string, data = new Uint8Array(0), version = 1): Uint8Array<ArrayBuffer> {
  const length = version === 1 ? u16(header.length) : u32(header.length);
  return joined(Uint8Array.of(0x93), ascii("NUMPY"), Uint8Array.of(version, 0), length, ascii(header), data);
}

/** A header as numpy writes it. */
export const npyHeader = (descr: string, shape: string, fortran = "False"): string =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;

/** Bit by bit, as the polynomial has it. */
export function slowCrc32(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  }
  return ~sum >>> 0;
}

export async function deflated(
  bytes: Uint8Array<ArrayBuffer>,
  format: "deflate-raw" | "gzip" = "deflate-raw",
): Promise<Uint8Array<ArrayBuffer>> {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream(format));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

export interface MemberSpec {
  readonly name: string | Uint8Array;
  /** What it unpacks to. */
  readonly data: Uint8Array;
  /** What stands in the file: the data themselves when absent. */
  readonly packed?: Uint8Array;
  readonly method?: number;
  readonly flags?: number;
  readonly crc?: number;
  /** What the header says that it unpacks to. */
  readonly bytes?: number;
  /** Whether sizes and the offset stand in 64 bits. */
  readonly isLong?: boolean;
  /** What stands behind the data. Sizes are not before them then. */
  readonly descriptor?: "signed" | "bare" | "long" | "bare long";
  /** Whether the directory leaves it out, or what it has of another. */
  readonly listed?: false | Partial<MemberSpec>;
}

function descriptorOf({ descriptor, packed, data }: MemberSpec, crc: number): Uint8Array {
  const size = descriptor?.includes("long") ? u64 : u32;
  const mark = descriptor?.includes("bare") ? [] : [u32(0x08074b50)];
  return joined(...mark, u32(crc), size((packed ?? data).length), size(data.length));
}

const EVERYWHERE = 0xffffffff;

/** A record of a member: before its data, or, with an offset, in the directory. */
function recordOf(spec: MemberSpec, offset?: number): Uint8Array {
  const { name, data, packed = data, method = 0, flags = 0, isLong = false, descriptor } = spec;
  const { crc = slowCrc32(data), bytes = data.length } = spec;
  const isLocal = offset === undefined;
  const isUnknown = isLocal && descriptor !== undefined;
  const sizes = isUnknown ? [0, 0] : [packed.length, bytes];
  const long = [sizes[1], sizes[0], ...(isLocal ? [] : [offset])].map(u64);
  const extra = isLong ? joined(u16(0x7777), u16(1), Uint8Array.of(9), u16(1), u16(8 * long.length), ...long) : u16(0);
  const named = typeof name === "string" ? ascii(name) : name;
  const extraBytes = isLong ? extra.length : 0;
  return joined(
    u32(isLocal ? 0x04034b50 : 0x02014b50),
    ...(isLocal ? [] : [u16(20)]),
    u16(20),
    u16(flags | (descriptor === undefined ? 0 : 8)),
    u16(method),
    u32(0),
    u32(isUnknown ? 0 : crc),
    ...(isLong ? [u32(EVERYWHERE), u32(EVERYWHERE)] : sizes.map(u32)),
    u16(named.length),
    u16(extraBytes),
    ...(isLocal ? [] : [u16(0), u16(0), u16(0), u32(0), u32(isLong ? EVERYWHERE : offset)]),
    named,
    extra.subarray(0, extraBytes),
  );
}

/** A ZIP file of these members. @param isLong whether its end is in 64 bits */
export function zipFile(members: readonly MemberSpec[], isLong = false, comment = ""): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const records: Uint8Array[] = [];
  let offset = 0;
  for (const spec of members) {
    if (spec.listed !== false) records.push(recordOf({ ...spec, ...spec.listed }, offset));
    const { data, packed = data, descriptor, crc = slowCrc32(data) } = spec;
    const part = joined(recordOf(spec), packed, ...(descriptor === undefined ? [] : [descriptorOf(spec, crc)]));
    parts.push(part);
    offset += part.length;
  }
  const directory = joined(...records);
  const count = records.length;
  const end64 = [
    ...[u32(0x06064b50), u64(44), u16(45), u16(45), u32(0), u32(0), u64(count), u64(count)],
    ...[u64(directory.length), u64(offset)],
    ...[u32(0x07064b50), u32(0), u64(offset + directory.length), u32(1)],
  ];
  const where = isLong ? [u32(EVERYWHERE), u32(EVERYWHERE)] : [u32(directory.length), u32(offset)];
  const end = [u32(0x06054b50), u32(0), u16(count), u16(count), ...where, u16(comment.length), ascii(comment)];
  return joined(...parts, directory, ...(isLong ? end64 : []), ...end);
}
