/** The performance log's index names each entry, in order, links to it, and says whether it was kept. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const LOG = readFileSync(join(import.meta.dirname, "../../docs/performance-log.md"), "utf8");

interface Entry {
  /** As its heading has it: "1. Write out marked loops". */
  readonly title: string;
  readonly text: string;
}

const entries: readonly Entry[] = LOG.split(/^## (?=\d)/m)
  .slice(1)
  .map((part) => {
    const end = part.indexOf("\n");
    return { title: part.slice(0, end), text: part.slice(end) };
  });

interface Line {
  readonly title: string;
  readonly anchor: string;
  readonly gain: string;
  readonly outcome: string;
}

const lines: readonly Line[] = [...LOG.matchAll(/^\| \[(\d+\. [^\]]+)\]\(#([^)]+)\) +\| ([^|]+)\| ([^|]+)\|/gm)].map(
  ([, title, anchor, gain, outcome]) => ({ title, anchor, gain: gain.trim(), outcome: outcome.trim() }),
);

/** The anchor that a page of rendered Markdown gives a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");

describe("the performance log's index", () => {
  test("has a line for each entry, in the order of their numbers", () => {
    expect(entries.map(({ title }) => Number.parseInt(title, 10))).toEqual(entries.map((_, i) => i + 1));
    expect(lines.map(({ title }) => title)).toEqual(entries.map(({ title }) => title));
  });

  test.each(lines)("links to $title", ({ title, anchor }) => {
    expect(anchor).toBe(anchorOf(title));
  });

  test.each(lines)("says what came of $title", ({ title, gain, outcome }) => {
    expect(gain).not.toBe("");
    const text = entries.find((entry) => entry.title === title)?.text ?? "";
    const isKept = /\bKept\b/.test(text);
    expect(outcome).toBe(isKept ? "kept" : /\bDropped\./.test(text) ? "dropped" : "measured");
  });
});
