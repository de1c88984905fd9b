/**
 * The beginning of a .npy file (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): a mark, a version, and a
 * literal of Python's that tells type, order and shape.
 */
import { show } from "../../base/errors.js";
import { grouped } from "../../base/fileError.js";
import { ELEMENT_BYTES, elementsOf, type SafeDType } from "../safeTensor.js";

/** Throws an error of the file for what is wrong at a byte, which counts from the beginning of the .npy file. */
export type Fail = (offset: number, explanation: string) => never;

const MARK = [0x93, ...new TextEncoder().encode("NUMPY")] as const;
/** The mark, two bytes of version, and a length of two or, from version 2 on, four bytes. No file is shorter. */
export const START_BYTES = 12;
/** Longer headers are refused, as by numpy; one of 64 axes takes about 1,400. */
const MOST_HEADER_BYTES = 10_000;

export interface NpyHeader {
  readonly dtype: SafeDType;
  readonly shape: readonly number[];
  /** Whether the first axis is the one whose elements are neighbours. */
  readonly isFortran: boolean;
  readonly isBigEndian: boolean;
  /** Of the data. */
  readonly bytes: number;
}

/** Where the header's text begins, and where the data. @param start the first {@link START_BYTES} bytes, or all there are */
export function npyExtent(start: Uint8Array, fail: Fail): readonly [begin: number, end: number] {
  if (!MARK.every((byte, i) => start[i] === byte) || start.length < START_BYTES)
    fail(
      0,
      start.length < START_BYTES
        ? `ends at byte ${String(start.length)}; expected at least ${String(START_BYTES)}`
        : `begins with the bytes ${[...start.subarray(0, MARK.length)].join(" ")}; expected those of .npy files, ${MARK.join(" ")}`,
    );
  const [major, minor] = start.subarray(MARK.length);
  if (major < 1 || major > 3 || minor !== 0)
    fail(MARK.length, `has version ${String(major)}.${String(minor)}; expected 1.0, 2.0 or 3.0`);
  const view = new DataView(start.buffer, start.byteOffset, start.length);
  const at = MARK.length + 2;
  const [begin, length] = major === 1 ? [at + 2, view.getUint16(at, true)] : [at + 4, view.getUint32(at, true)];
  if (length > MOST_HEADER_BYTES)
    fail(
      at,
      `has a header of ${grouped(length)} bytes; expected at most ${grouped(MOST_HEADER_BYTES)}, as numpy has it`,
    );
  if (begin + length < START_BYTES) fail(at, `has a header of ${String(length)} bytes; expected Python's {...}`);
  return [begin, begin + length];
}

/** By numpy's kinds and bytes. */
const DTYPES: Readonly<Record<string, SafeDType>> = {
  f2: "F16",
  f4: "F32",
  f8: "F64",
  i1: "I8",
  i2: "I16",
  i4: "I32",
  i8: "I64",
  u1: "U8",
  u2: "U16",
  u4: "U32",
  u8: "U64",
  b1: "BOOL",
};

/** A text, a number (Python 2 has L behind long ones), a word, or one of these signs. */
const TOKEN = /\s*(?:'([^'\\]*)'|"([^"\\]*)"|(\d+)L?|(True|False)|([{}()[\],:]))/y;
type Token = string | number | boolean | { readonly sign: string };

function tokensOf(text: string, fail: (explanation: string) => never): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  const end = text.trimEnd().length;
  for (let at = 0; at < end; at = TOKEN.lastIndex) {
    const found = TOKEN.exec(text);
    if (!found) return fail(`has ${show(text.slice(at))}; expected Python's {...} of texts, numbers, True and False`);
    const [, single, double, digits, word, sign] = found as readonly (string | undefined)[];
    const quoted = single ?? double;
    if (quoted !== undefined) tokens.push(quoted);
    else if (digits !== undefined) tokens.push(Number(digits));
    else if (word !== undefined) tokens.push(word === "True");
    else tokens.push({ sign: sign ?? "" });
  }
  return tokens;
}

/** The members of a literal `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`: signs around values are left out. */
function membersOf(text: string, fail: (explanation: string) => never): Map<string, readonly Token[]> {
  const tokens = tokensOf(text, fail);
  const isSign = (token: Token | undefined, sign: string): boolean =>
    typeof token === "object" ? token.sign === sign : false;
  if (!isSign(tokens[0], "{") || !isSign(tokens.at(-1), "}")) fail(`is ${show(text.trim())}; expected Python's {...}`);
  const members = new Map<string, readonly Token[]>();
  let at = 1;
  while (at < tokens.length - 1) {
    const key = tokens[at];
    if (typeof key !== "string" || !isSign(tokens[at + 1], ":"))
      return fail(`has no name and colon where one should be`);
    if (members.has(key)) fail(`has ${show(key)} twice`);
    const begin = at + 2;
    let depth = 0;
    for (at = begin; at < tokens.length - 1 && !(depth === 0 && isSign(tokens[at], ",")); at++) {
      if (isSign(tokens[at], "(") || isSign(tokens[at], "[")) depth++;
      if (isSign(tokens[at], ")") || isSign(tokens[at], "]")) depth--;
    }
    members.set(key, tokens.slice(begin, at));
    at++;
  }
  return members;
}

/** The numbers of `(2, 3)`, `(2,)` or `()`; undefined for anything else. */
function numbersOf(tokens: readonly Token[]): number[] | undefined {
  const signs = tokens.map((token) => (typeof token === "object" ? token.sign : "n")).join("");
  if (!/^\((n(,n)*,?)?\)$/.test(signs) || signs === "(n)") return undefined;
  const numbers = tokens.filter((token) => typeof token !== "object");
  return numbers.every((token): token is number => Number.isSafeInteger(token)) ? numbers : undefined;
}

const KEYS = ["descr", "fortran_order", "shape"] as const;

/** Reads a header, which begins at byte `begin`. */
export function npyHeader(bytes: Uint8Array, begin: number, failAt: Fail): NpyHeader {
  const fail = (explanation: string): never => failAt(begin, `the header at byte ${String(begin)} ${explanation}`);
  // Before version 3 it is Latin-1; what is no ASCII can only be in names of fields, which are refused.
  const members = membersOf(new TextDecoder().decode(bytes), fail);
  const [descr, order, extents] = KEYS.map((key) => members.get(key));
  if (!descr || !order || !extents || members.size !== KEYS.length)
    return fail(`has ${show([...members.keys()])}; expected ${KEYS.join(", ")}`);
  const [type] = descr;
  if (typeof type !== "string" || descr.length !== 1)
    return fail("has a structured type; expected numbers of one type: take the fields apart with numpy");
  const known = /^([<>|])([a-zA-Z]\d+)$/.exec(type);
  const [, byteOrder = "", kind = ""] = known ?? [];
  const dtype = Object.hasOwn(DTYPES, kind) ? DTYPES[kind] : undefined;
  if (!dtype || (byteOrder === "|" && ELEMENT_BYTES[dtype] > 1))
    return fail(
      `has descr ${show(type)}; expected < or >, or | of single bytes, and one of ${Object.keys(DTYPES).join(", ")}${type.includes("O") ? ": objects are Python's pickles" : ""}`,
    );
  const [isFortran] = order;
  if (typeof isFortran !== "boolean" || order.length !== 1) return fail("has no True or False as fortran_order");
  const shape = numbersOf(extents);
  if (!shape) return fail("has no shape of whole numbers, (2, 3) or (2,) or ()");
  const count = elementsOf(shape) * ELEMENT_BYTES[dtype];
  if (!Number.isSafeInteger(count)) return fail(`has shape ${show(shape)}, which is more than 2^53 bytes`);
  return { dtype, shape, isFortran, isBigEndian: byteOrder === ">", bytes: count };
}
