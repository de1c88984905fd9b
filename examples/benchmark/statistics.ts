/** Summaries of repeated measurements. */

/** The middle value, or the mean of the two in the middle; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Half the range over the median, so that "median ± spread" covers every sample of an even scatter; NaN for none. */
export function relativeSpread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / 2 / median(values);
}

/** The mean that suits rates and ratios; NaN for none. Values that are not positive numbers are left out. */
export function geometricMean(values: readonly number[]): number {
  const positive = values.filter((value) => value > 0 && Number.isFinite(value));
  if (positive.length === 0) return NaN;
  return Math.exp(positive.reduce((sum, value) => sum + Math.log(value), 0) / positive.length);
}
