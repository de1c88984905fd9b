/** What a result is the sum of, as it is written. */
import { asWritten, plural, relation } from "../../format.js";
import type { SliceSum, Term } from "./scene.js";

export interface WrittenSum {
  readonly summands: readonly number[];
  /** Between summands and result, or between factors and their sum. */
  readonly sign: "=" | "≈";
  /** What the summands are. */
  readonly note: string;
}

const add = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** Of a result, from its source slices and its bias. */
export function writeResult(sums: readonly SliceSum[], bias: number | undefined, result: number): WrittenSum {
  const summands = [...sums.map(({ sum }) => sum), ...(bias === undefined ? [] : [bias])];
  const what = sums.length > 1 ? "one sum a slice" : plural(sums[0].terms.length, "product");
  return {
    summands,
    sign: relation(add(summands.map(asWritten)), result),
    note: bias === undefined ? what : `${what}, and the bias`,
  };
}

const productOf = ({ source, weight }: Term): number => asWritten(source) * asWritten(weight);

/** The sign before the product of two factors as they are written. */
export const signOfProduct = (term: Term): WrittenSum["sign"] => relation(productOf(term), term.product);

/** The sign before the sum of a slice's products, each written as its factors. */
export const signOfSlice = ({ terms, sum }: SliceSum): WrittenSum["sign"] => relation(add(terms.map(productOf)), sum);
