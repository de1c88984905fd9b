/** The command line of the example. */
import { Command, InvalidArgumentError } from "commander";

export interface Arguments {
  /** A PGM file to sharpen, and where it goes; undefined where the input is generated. */
  readonly files: readonly [input: string, output: string] | undefined;
  /** Extent of the generated picture, or of the volume. */
  readonly size: number | undefined;
  readonly volume: boolean;
  readonly mib: number;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(Number.isSafeInteger(value) && value > 0)) throw new InvalidArgumentError("expected a positive integer");
  return value;
}

export function parseArguments(words: readonly string[]): Arguments {
  const command = new Command("npm run example:tiled --")
    .description(
      "Runs a stack of convolutions over a picture or a volume that need not fit the device, nor memory, by tiles. " +
        "With two files it sharpens a PGM picture of any size (P5, 8 bits). Without files it generates the input, and checks parts of " +
        "the result against the reference.",
    )
    .argument("[input.pgm]", "a picture to sharpen")
    .argument("[output.pgm]", "where the result goes")
    .option("--size <n>", "extent of the generated picture (4,000) or of the volume (128)", positive)
    .option("--volume", "a volume through dilated 3D layers, in place of a picture", false)
    .option("--mib <n>", "memory that the call may take, in MiB", positive, 256)
    .allowExcessArguments(false)
    .parse([...words], { from: "user" });
  const options = command.opts<Omit<Arguments, "files">>();
  const [input, output] = command.args as readonly (string | undefined)[];
  if (input === undefined) return { ...options, files: undefined };
  if (output === undefined) return command.error("error: got one file; expected input.pgm and output.pgm");
  if (options.volume || options.size !== undefined) {
    command.error("error: got files and --size or --volume; expected one of the two");
  }
  return { ...options, files: [input, output] };
}
