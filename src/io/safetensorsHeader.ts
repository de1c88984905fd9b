/**
 * The header of a safetensors file (https://github.com/huggingface/safetensors#format): JSON that names each tensor's type,
 * shape and place among the data, which have no holes.
 */
import { show, textOf } from "../base/errors.js";
import { FileError, grouped } from "../base/fileError.js";
import { ELEMENT_BYTES, elementsOf, type SafeDType } from "./safeTensor.js";

/** Bytes before the header: its length, 64 bits, little-endian. */
export const LENGTH_BYTES = 8;
/** Longer headers are refused, as by the format's own library. */
export const MOST_HEADER_BYTES = 100_000_000;
/** The key of what is no tensor. */
export const METADATA = "__metadata__";

/** Where a tensor lies. */
export interface SafeEntry {
  readonly name: string;
  readonly dtype: SafeDType;
  readonly shape: readonly number[];
  /** Offsets in the file. */
  readonly begin: number;
  readonly end: number;
}

export interface SafeHeader {
  /** In the order of their data. */
  readonly entries: readonly SafeEntry[];
  readonly metadata: Readonly<Record<string, string>>;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isCounts = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(isCount);
const isType = (value: unknown): value is SafeDType => typeof value === "string" && Object.hasOwn(ELEMENT_BYTES, value);

/** Reads a header, which begins at byte 8. @throws FileError where it is not one, or where the data have holes */
export function readHeader(file: string, bytes: Uint8Array): SafeHeader {
  const fail = (offset: number, explanation: string): never => {
    throw new FileError(file, offset, explanation);
  };
  const header = parse(file, bytes);
  const start = LENGTH_BYTES + bytes.length;
  const { [METADATA]: metadata = {}, ...tensors } = header;
  if (!isObject(metadata) || !Object.values(metadata).every((value) => typeof value === "string"))
    fail(LENGTH_BYTES, `the header's ${METADATA} is ${show(metadata)}; expected an object of texts`);
  const entries = Object.entries(tensors).map(([name, entry]) => readEntry(name, entry));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = start;
  for (const entry of entries) {
    if (entry.begin !== end)
      fail(
        entry.begin,
        `tensor ${show(entry.name)} begins at byte ${grouped(entry.begin)}; expected ${grouped(end)}, where the data before it end`,
      );
    end = entry.end;
  }
  return { entries, metadata: metadata as Readonly<Record<string, string>> };

  function readEntry(name: string, entry: unknown): SafeEntry {
    const wrong = (what: string): never => fail(LENGTH_BYTES, `the header's tensor ${show(name)} ${what}`);
    if (!isObject(entry)) return wrong(`is ${show(entry)}; expected an object of dtype, shape and data_offsets`);
    const { dtype, shape, data_offsets: offsets } = entry;
    if (!isType(dtype))
      return wrong(`has dtype ${show(dtype)}; expected one of ${Object.keys(ELEMENT_BYTES).join(", ")}`);
    if (!isCounts(shape)) return wrong(`has shape ${show(shape)}; expected whole sizes from 0 on`);
    if (!isCounts(offsets) || offsets.length !== 2)
      return wrong(`has data_offsets ${show(offsets)}; expected [begin, end]`);
    const [begin, until] = offsets;
    const expected = elementsOf(shape) * ELEMENT_BYTES[dtype];
    if (until - begin !== expected)
      return wrong(
        `has ${grouped(until - begin)} bytes, data_offsets ${show(offsets)}; expected ${grouped(expected)}, for ${show(shape)} of ${dtype}`,
      );
    return { name, dtype, shape, begin: start + begin, end: start + until };
  }
}

function parse(file: string, bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw new FileError(file, LENGTH_BYTES, `the header at byte ${String(LENGTH_BYTES)} is no JSON: ${textOf(cause)}`, {
      cause,
    });
  }
  if (isObject(header)) return header;
  throw new FileError(
    file,
    LENGTH_BYTES,
    `the header at byte ${String(LENGTH_BYTES)} is ${show(header)}; expected an object`,
  );
}
