/** Third-party test vectors, read in place from the folder `__CORPORA__` (vite.config.ts): in Node and in a browser. */
import { test } from "vitest";

/** The text of a file of the folder, or undefined where it is not there. */
async function readCorpus(file: string): Promise<string | undefined> {
  const path = `${__CORPORA__}/${file}`;
  return typeof document === "undefined" ? await readFromDisk(path) : await readFromServer(path);
}

async function readFromDisk(path: string): Promise<string | undefined> {
  const { existsSync, readFileSync } = await import("node:fs");
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

async function readFromServer(path: string): Promise<string | undefined> {
  const response = await fetch(`/@fs/${path.replace(/^\//, "")}`);
  // Vite answers with its page where a file is missing.
  const found = response.ok && !(response.headers.get("content-type") ?? "").includes("text/html");
  return found ? await response.text() : undefined;
}

/**
 * Declares the tests of one file of test vectors. Where the file is absent there is one test in their place: it is
 * reported as skipped, its name says what was looked for and how to provide it, and a warning says so again.
 *
 * @param parse reads the file's text
 * @param declare declares tests, from what `parse` gave
 */
export async function withCorpus<Corpus>(
  file: string,
  parse: (text: string) => Corpus,
  declare: (corpus: Corpus) => void,
): Promise<void> {
  const text = await readCorpus(file);
  if (text !== undefined) {
    declare(parse(text));
    return;
  }
  const reason =
    `NOT RUN, test vectors are missing: ${__CORPORA__}/${file} was not found; ` +
    "set the environment variable CONV_CORPORA to the folder that has it";
  console.warn(reason);
  test(reason, (context) => context.skip(reason));
}

/** Reads a file with one JSON object that lists its `cases`. */
export function parseCases(text: string): readonly unknown[] {
  return (JSON.parse(text) as { readonly cases: readonly unknown[] }).cases;
}

/** Reads a file with one JSON object a line. */
export function parseLines(text: string): readonly unknown[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line): unknown => JSON.parse(line));
}
