/** The data that `tensor` and `write` take: checked, and converted to what the device stores. */
import { type DType, storedValues, type StoredValues } from "../problem/dtype.js";
import { ArgumentError, require, show } from "../base/errors.js";
import { product } from "../problem/geometry.js";
import { decodeBrainHalves, decodeHalves, encodeHalves, type NumberArray, toHalfBits } from "../base/half.js";
import { isNumberArray, viewKind } from "../base/list.js";
import { requireWord } from "../base/spelling.js";

/** Values of a tensor, row-major: a typed array (not of bigints), an array of numbers, or arrays of equal lengths of them. */
export type TensorData = NumberArray | readonly (number | TensorData)[];

/** How the data is to be read. */
export interface DataOptions {
  /**
   * What the bit patterns in a Uint16Array, or in arrays of them, mean. When absent they are float16 bits for a tensor in
   * float16, and integers for one in float32.
   */
  readonly bits?: "float16" | "bfloat16";
}

/** An array that is nested deeper than this is taken to contain itself. */
const MOST_DIMENSIONS = 32;

/** The shape of the data itself: its length, and those of its first entries. Other entries are not looked at yet. */
export function dimensionsOf(name: string, data: unknown): number[] {
  const dimensions: number[] = [];
  for (let level: unknown = data; ;) {
    if (isNumberArray(level)) return [...dimensions, level.length];
    if (!Array.isArray(level)) {
      if (dimensions.length > 0) return dimensions;
      throw new ArgumentError(`${name} is ${show(level)}; expected ${remedy(level)}`);
    }
    require(dimensions.length < MOST_DIMENSIONS, () => {
      return `${name} is nested deeper than ${String(MOST_DIMENSIONS)} levels; does it contain itself?`;
    });
    dimensions.push(level.length);
    if (level.length === 0) return dimensions;
    level = level[0] as unknown;
  }
}

/** What to hand over instead of `value`, which is no data. */
function remedy(value: unknown): string {
  const kind = viewKind(value) ?? Object.prototype.toString.call(value).slice("[object ".length, -1);
  if (kind.startsWith("Big")) return "numbers: Float32Array.from(it, Number)";
  if (["ArrayBuffer", "SharedArrayBuffer", "DataView"].includes(kind))
    return "a typed array over its bytes: new Float32Array(buffer)";
  if (kind === "Promise") return "its result: await it";
  const isObject = typeof value === "object" && value !== null;
  if (isObject && (Symbol.iterator in value || "length" in value)) return "an array: Array.from(it)";
  return "an array of numbers, or a typed array";
}

/**
 * Reads data for a tensor of this shape.
 *
 * @param name what the caller calls the data, for messages
 * @param keep whether the result must be a copy
 * @returns words of `dtype`; those of a Float32Array may be the caller's own
 * @throws ArgumentError with the place of the first entry that is no number, or that the shape has no place for.
 */
export function readValues(
  name: string,
  data: unknown,
  shape: readonly number[],
  dtype: DType,
  { bits }: DataOptions,
  keep = false,
): StoredValues {
  if (bits !== undefined) requireWord("bits", bits, ["float16", "bfloat16"]);
  const dimensions = dimensionsOf(name, data);
  const count = product(shape);
  const fits = product(dimensions) === count && isRegrouping(dimensions, shape);
  if (fits && !keep && dtype === "float32" && bits === undefined && isPlainFloats(data)) return data;
  const target = fits ? storedValues(count, dtype) : undefined;
  new Reader(name, dimensions, target, bits).read(data, 0, 0);
  // Checked last: where arrays have different lengths, that is the error.
  if (target) return target;
  throw new ArgumentError(
    product(dimensions) === count
      ? `${name} is nested as ${show(dimensions)}; expected ${show([...shape])}`
      : `${name} has ${inFull(dimensions)} values; expected ${inFull(shape)}`,
  );
}

const inFull = (extents: readonly number[]): string =>
  extents.length === 1 ? String(extents[0]) : `${extents.join(" * ")} = ${String(product(extents))}`;

/** Whether joining neighbouring dimensions makes one shape from the other. */
function isRegrouping(a: readonly number[], b: readonly number[]): boolean {
  const ends = (shape: readonly number[]): Set<number> => new Set(shape.map((_, i) => product(shape.slice(i))));
  const [endsOfA, endsOfB] = [ends(a), ends(b)];
  return a.length === 1 || isSubset(endsOfA, endsOfB) || isSubset(endsOfB, endsOfA);
}

const isSubset = (a: ReadonlySet<number>, b: ReadonlySet<number>): boolean =>
  [...a].every((value) => value === 1 || b.has(value));

/** Whether this is a Float32Array on memory that neither grows nor is shared: a device takes it as it is. */
function isPlainFloats(data: unknown): data is Float32Array<ArrayBuffer> {
  if (viewKind(data) !== "Float32Array") return false;
  const { buffer } = data as Float32Array;
  const { resizable } = buffer as { readonly resizable?: boolean };
  return Object.prototype.toString.call(buffer) === "[object ArrayBuffer]" && resizable !== true;
}

/** Walks over nested arrays and copies their numbers. */
class Reader {
  readonly #name: string;
  readonly #dimensions: readonly number[];
  readonly #target: StoredValues | undefined;
  readonly #bits: DataOptions["bits"];
  /** The indices of the entry that is being read. */
  readonly #path: number[] = [];

  /** @param target undefined where the data are only to be checked */
  constructor(
    name: string,
    dimensions: readonly number[],
    target: StoredValues | undefined,
    bits: DataOptions["bits"],
  ) {
    this.#name = name;
    this.#dimensions = dimensions;
    this.#target = target;
    this.#bits = bits;
  }

  /** Reads an entry that is nested `level` deep. Its first value goes to `at`. */
  read(entry: unknown, level: number, at: number): void {
    const extent = this.#dimensions[level];
    const isLast = level === this.#dimensions.length - 1;
    const isTyped = isNumberArray(entry);
    if (!isTyped && !Array.isArray(entry)) this.#fail(entry, `an array of ${String(extent)}, as its neighbours are`);
    if (entry.length !== extent) {
      throw new ArgumentError(
        `${this.#place()} has ${String(entry.length)} entries; expected ${String(extent)}, as its neighbours have`,
      );
    }
    if (isTyped && !isLast) this.#fail(entry, "an array of arrays");
    if (isTyped) this.#copyTyped(entry, at);
    else if (isLast) this.#copyNumbers(entry, at);
    else {
      const step = product(this.#dimensions.slice(level + 1));
      for (let i = 0; i < extent; i++) {
        this.#path.push(i);
        this.read(entry[i], level + 1, at + i * step);
        this.#path.pop();
      }
    }
  }

  #place(): string {
    return this.#name + this.#path.map((index) => `[${String(index)}]`).join("");
  }

  #fail(entry: unknown, expected: string): never {
    throw new ArgumentError(`${this.#place()} is ${show(entry)}; expected ${expected}`);
  }

  #copyNumbers(list: readonly unknown[], at: number): void {
    const end = this.#bits === undefined ? copyWhileNumbers(list, this.#target, at) : 0;
    if (end === list.length) return;
    this.#path.push(end);
    this.#fail(list[end], this.#bits === undefined ? "a number" : this.#bitsExpected());
  }

  #bitsExpected(): string {
    return `a Uint16Array in its place, since bits is ${show(this.#bits)}`;
  }

  #copyTyped(list: NumberArray, at: number): void {
    const target = this.#target;
    const kind = viewKind(list);
    const isBits = kind === "Uint16Array" || kind === "Float16Array";
    if (this.#bits !== undefined && kind !== "Uint16Array") this.#fail(list, this.#bitsExpected());
    if (!target) return;
    const halves = (): Uint16Array => new Uint16Array(list.buffer, list.byteOffset, list.length);
    if (this.#bits === "bfloat16") {
      const values = target instanceof Float32Array ? target.subarray(at) : new Float32Array(list.length);
      decodeBrainHalves(halves(), values);
      if (target instanceof Uint16Array) encodeHalves(values, target.subarray(at));
    } else if (target instanceof Uint16Array) {
      if (isBits) target.set(halves(), at);
      else encodeHalves(list, target.subarray(at));
    } else if (kind === "Float16Array" || this.#bits === "float16") {
      decodeHalves(halves(), target.subarray(at));
    } else {
      target.set(list, at);
    }
  }
}

/** Copies numbers to `target` from `at` on. Returns the index of the first entry that is no number, or the length. */
function copyWhileNumbers(list: readonly unknown[], target: StoredValues | undefined, at: number): number {
  const { length } = list;
  if (target instanceof Uint16Array) {
    for (let i = 0; i < length; i++) {
      const value = list[i];
      if (typeof value !== "number") return i;
      target[at + i] = toHalfBits(value);
    }
    return length;
  }
  for (let i = 0; i < length; i++) {
    const value = list[i];
    if (typeof value !== "number") return i;
    if (target) target[at + i] = value;
  }
  return length;
}
