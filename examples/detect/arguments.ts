/** The command line: `[PICTURE.png] [OUT.png] [--compare]`. */
import { UsageError } from "../filters/arguments.js";

export const USAGE = `usage: npm run example:detect -- [PICTURE.png] [OUT.png] [--compare]

  PICTURE.png  the picture to look for text in; when absent one that the example draws, whose lines it knows
  OUT.png      the picture with boxes; out/detect.png when absent
  --compare    also runs the same file in onnxruntime-web and compares what both give`;

export interface Arguments {
  /** Undefined for the picture that the example draws. */
  readonly picture: string | undefined;
  readonly out: string;
  readonly compares: boolean;
}

const COMPARE = "--compare";

/** @throws UsageError for other options, for empty arguments and for more than two. */
export function parseArguments(words: readonly string[]): Arguments {
  const option = words.find((word) => word.startsWith("-") && word !== COMPARE);
  if (option !== undefined) throw new UsageError(`unknown option ${option}; expected ${COMPARE} or none`);
  const files = words.filter((word) => word !== COMPARE);
  if (files.includes("")) throw new UsageError("an argument is empty; expected PICTURE.png and OUT.png");
  if (files.length > 2) {
    throw new UsageError(
      `got ${String(files.length)} files, ${files.join(" ")}; expected at most 2: PICTURE.png and OUT.png`,
    );
  }
  const [picture, out = "out/detect.png"] = files as readonly (string | undefined)[];
  return { picture, out, compares: words.includes(COMPARE) };
}
