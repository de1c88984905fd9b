/** The pieces of code in the README and in the pages that go on from it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./packed.js";

/** The pages, by their paths. */
export const PAGES: ReadonlyMap<string, string> = new Map(
  ["README.md", "docs/guide.md", "docs/operations.md", "docs/networks.md"].map((path) => [
    path,
    readFileSync(join(ROOT, path), "utf8"),
  ]),
);

export interface Block {
  readonly language: string;
  /** What it stands under. */
  readonly heading: string;
  readonly code: string;
  /** What the comments behind its `console.log(...)`, and a worker's `postMessage(...)`, say: in order. */
  readonly promised: readonly string[];
}

function blocksOf(text: string): Block[] {
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(({ index, ...match }) => {
    const headings = [...text.slice(0, index).matchAll(/^##+ (.*)$/gm)];
    const promised = [...match[2].matchAll(/(?:console\.log|postMessage)\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text);
    return { language: match[1], heading: headings.at(-1)?.[1] ?? "", code: match[2], promised };
  });
}

const BLOCKS: readonly Block[] = [...PAGES.values()].flatMap(blocksOf);

const isWorker = ({ code }: Block): boolean => code.startsWith("// worker.js\n");

/** What plain Node runs. */
export const NODE_BLOCKS = BLOCKS.filter((block) => block.language === "js" && !isWorker(block));
/** What a bundler makes a page's script of. */
export const TYPED_BLOCKS = BLOCKS.filter(({ language }) => language === "ts");
/** What a page is, as a file. */
export const PAGE_BLOCKS = BLOCKS.filter(({ language }) => language === "html");
export const WORKER_BLOCKS = BLOCKS.filter(isWorker);
export const SHELL_BLOCKS = BLOCKS.filter(({ language }) => language === "sh");

/** As printed, on one line. */
export const printedLine = (text: string): string => text.replace(/\s+/g, " ").trim();
