/** Tables of Markdown, which read well in a terminal, too. */

export interface Column<Item> {
  readonly title: string;
  /** Left where it is text. */
  readonly isText?: boolean;
  readonly cell: (item: Item) => string;
}

export function table<Item>(columns: readonly Column<Item>[], items: readonly Item[]): string {
  const rows = items.map((item) => columns.map(({ cell }) => cell(item)));
  const widths = columns.map(({ title }, i) => Math.max(3, title.length, ...rows.map((row) => row[i].length)));
  const pad = (text: string, i: number): string =>
    columns[i].isText ? text.padEnd(widths[i]) : text.padStart(widths[i]);
  const line = (cells: readonly string[]): string => `| ${cells.map(pad).join(" | ")} |\n`;
  const rule = widths.map((width, i) => (columns[i].isText ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return line(columns.map(({ title }) => title)) + line(rule) + rows.map(line).join("");
}

/** A share in percent; empty where there is none. */
export const percent = (share: number | undefined): string => (share === undefined ? "" : (100 * share).toFixed(0));
export const fixed = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? "";
