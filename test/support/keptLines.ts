/** What a command tells, kept in the place of being shown. Tests that call it restore all mocks when they end. */
import { vi } from "vitest";

/** Lines of the console; of bars that show how far work is, too, where they are asked for. */
export function keptLines({ bars = false } = {}): string[] {
  const lines: string[] = [];
  const keep = (...words: unknown[]): void => void lines.push(words.join(" "));
  vi.spyOn(console, "log").mockImplementation(keep);
  vi.spyOn(console, "error").mockImplementation(keep);
  if (bars) vi.spyOn(process.stderr, "write").mockImplementation((text) => lines.push(String(text)) > 0);
  return lines;
}
