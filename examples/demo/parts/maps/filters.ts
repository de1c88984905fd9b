/** The filters that the maps are made with: a bank of classical ones, random ones, or one drawn by hand. */
import { bankTensors, COLOURS, EXTENT, type Filter, FILTERS } from "../../../filters/filterBank.js";
import { randomValues } from "../../../benchmark/random.js";
import type { Edits, ValuesOf } from "../../settings/schema.js";
import type { MapsSchema } from "./part.js";

export { COLOURS, EXTENT };
export const TAPS = EXTENT * EXTENT;

export interface Bank {
  readonly names: readonly string[];
  /** `[K, 3, 5, 5]` and `[K]`, row-major. */
  readonly weight: Float32Array<ArrayBuffer>;
  readonly bias: Float32Array<ArrayBuffer>;
  /** Values drawn darkest and brightest, and whether both signs mean something. */
  readonly ranges: readonly { readonly range: readonly [low: number, high: number]; readonly signed: boolean }[];
}

/** A filter whose answers are drawn in both signs reaches its full colour at this part of the most it could answer. */
const FULL_COLOUR = 0.3;

const absoluteSum = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((sum, value) => sum + Math.abs(value), 0);

function signedRange(weights: ArrayLike<number>): Bank["ranges"][number] {
  const most = Math.max(FULL_COLOUR * absoluteSum(weights), 1e-3);
  return { range: [-most, most], signed: true };
}

function bankOf(filters: readonly Filter[]): Bank {
  const { weight, bias } = bankTensors(filters);
  const ranges = filters.map(({ display }, k): Bank["ranges"][number] => {
    const own = weight.subarray(k * COLOURS * TAPS, (k + 1) * COLOURS * TAPS);
    return display === "unit" ? { range: [0, 1], signed: false } : signedRange(own);
  });
  return { names: filters.map(({ name }) => name), weight, bias, ranges };
}

function randomBank(count: number, seed: number): Bank {
  const weight = randomValues(count * COLOURS * TAPS, seed);
  const ranges = Array.from({ length: count }, (_, k) => {
    const own = weight.subarray(k * COLOURS * TAPS, (k + 1) * COLOURS * TAPS);
    // Without a mean a filter answers to structure and not to brightness.
    const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
    own.forEach((value, i) => (own[i] = value - mean));
    return signedRange(own);
  });
  const names = ranges.map((_, k) => `random ${String(k + 1)}`);
  return { names, weight, bias: new Float32Array(count), ranges };
}

/** Where the filter drawn by hand begins: what is right of a pixel less what is left of it. */
const INITIAL_TAPS: readonly number[] = Array.from({ length: TAPS }, (_, i) => {
  const column = i % EXTENT;
  return column === 1 ? -1 : column === 3 ? 1 : 0;
});

export const drawnTaps = (edits: Edits): readonly number[] => INITIAL_TAPS.map((tap, i) => edits.get(i) ?? tap);

/** The taps drawn, for the mean of the colours. */
function drawnBank(edits: Edits): Bank {
  const taps = drawnTaps(edits);
  const weight = Float32Array.from({ length: COLOURS * TAPS }, (_, i) => taps[i % TAPS] / COLOURS);
  return { names: ["drawn"], weight, bias: new Float32Array(1), ranges: [signedRange(weight)] };
}

export function chooseBank({ filters, K, seed, taps }: ValuesOf<MapsSchema>): Bank {
  if (filters === "random") return randomBank(K, seed);
  return filters === "drawn" ? drawnBank(taps) : bankOf(FILTERS);
}

/** What each tap adds to a filter's answer at a place, colours summed; pixels beyond the edge are 0. */
export function contributionsAt(bank: Bank, filter: number, picture: ImageData, x: number, y: number): Float64Array {
  const { width, height, data } = picture;
  return Float64Array.from({ length: TAPS }, (_, tap) => {
    const column = x + (tap % EXTENT) - (EXTENT >> 1);
    const row = y + Math.floor(tap / EXTENT) - (EXTENT >> 1);
    if (column < 0 || column >= width || row < 0 || row >= height) return 0;
    let sum = 0;
    for (let colour = 0; colour < COLOURS; colour++) {
      const weight = bank.weight[(filter * COLOURS + colour) * TAPS + tap];
      sum += weight * (data[4 * (row * width + column) + colour] / 255);
    }
    return sum;
  });
}
