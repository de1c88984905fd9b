/** Tables for terminals. */

/** Columns as wide as their widest text: the first `leftColumns` begin at the left, the others end at the right. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[], leftColumns = 3): string {
  const widths = heads.map((head, i) => Math.max(head.length, ...rows.map((row) => row[i].length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i < leftColumns ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join("  ")
      .trimEnd();
  return [line(heads), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
