/** The command line: `PHOTO.png OUT.png [--scale 2|4] [--mib N]`. */
import { Command, InvalidArgumentError } from "commander";

export interface Arguments {
  readonly photo: string;
  readonly out: string;
  readonly scale: 2 | 4;
  /** That tiles may take. */
  readonly mib: number;
  /** The extent of the square in the middle that is taken alone; undefined for the whole picture. */
  readonly middle: number | undefined;
  /** For what bicubic interpolation makes of it beside what the network makes; undefined where that is not wanted. */
  readonly picture: string | undefined;
}

function readScale(text: string): 2 | 4 {
  if (text === "2") return 2;
  if (text === "4") return 4;
  throw new InvalidArgumentError("expected 2 or 4, the scales of the networks.");
}

function readMib(text: string): number {
  const mib = Number(text);
  if (!Number.isInteger(mib) || mib < 1) throw new InvalidArgumentError("expected a whole number of MiB, at least 1.");
  return mib;
}

function readExtent(text: string): number {
  const extent = Number(text);
  if (!Number.isInteger(extent) || extent < 1)
    throw new InvalidArgumentError("expected a whole number of pixels, at least 1.");
  return extent;
}

/** Exits with 2 for a command line that it does not understand. */
export function parseArguments(words: readonly string[]): Arguments {
  let read: Arguments | undefined;
  const command = new Command("npm run example:upscale --")
    .description("Makes a picture larger by a network with published weights, by tiles, without seams.")
    .argument("<PHOTO.png>", "the picture, of any size; .jpg will do, too")
    .argument("<OUT.png>", "where the larger one goes")
    .option("--scale <factor>", "2 or 4", readScale, 4 as const)
    .option("--mib <count>", "memory that tiles may take, in MiB", readMib, 256)
    .option("--middle <pixels>", "takes a square in the middle alone, of so many pixels along each side", readExtent)
    .option(
      "--picture <FILE.png>",
      "also shows what bicubic interpolation makes of it, and beside it the network; with --middle",
    )
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .action((photo: string, out: string, options: Omit<Arguments, "photo" | "out">) => {
      if (options.picture !== undefined && options.middle === undefined)
        command.error("error: --picture shows a small square; expected --middle with it");
      read = { photo, out, ...options };
    });
  command.parse(words, { from: "user" });
  if (!read) throw new Error("the command line was not read");
  return read;
}
