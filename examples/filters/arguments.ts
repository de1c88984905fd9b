/** The command line: `[PHOTO.png [OUT]]`. */

/** The command line is not one that the example understands. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export const USAGE = `usage: npm run example:filters -- [PHOTO.png [OUT]]

  PHOTO.png  the picture to filter; the example's own when absent
  OUT        folder for the results, made if need be; out/filters when absent`;

export interface Arguments {
  /** Undefined for the example's own picture. */
  readonly photo: string | undefined;
  readonly out: string;
}

/** @throws UsageError for options and for more than two arguments. */
export function parseArguments(words: readonly string[]): Arguments {
  const option = words.find((word) => word.startsWith("-"));
  if (option !== undefined) throw new UsageError(`unknown option ${option}; there are none`);
  if (words.some((word) => word === "")) throw new UsageError("an argument is empty; expected PHOTO.png and OUT");
  if (words.length > 2) {
    throw new UsageError(
      `got ${String(words.length)} arguments, ${words.join(" ")}; expected at most 2: PHOTO.png and OUT`,
    );
  }
  const [photo, out = "out/filters"] = words;
  return { photo: words.length > 0 ? photo : undefined, out };
}
