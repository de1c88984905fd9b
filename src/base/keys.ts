/** Keys of caches: texts that are equal exactly where the data are. */

/** A number as text, which differs for 0 and -0. */
export const numberKey = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));

const isJsonNumber = (value: number): boolean => Number.isFinite(value) && !Object.is(value, -0);

/** Plain data as JSON, with the numbers that JSON lacks (-0, NaN, infinities) in words. */
export const dataKey = (data: unknown): string =>
  JSON.stringify(data, (_, part: unknown) =>
    typeof part === "number" && !isJsonNumber(part) ? { number: numberKey(part) } : part,
  );
