/** The command line. */
import { Command, InvalidArgumentError, Option } from "commander";
import { count } from "../train/count.js";
import type { Extents } from "./phantom.js";

export interface Arguments {
  readonly channels: number;
  readonly size: Extents;
  readonly mib: number;
  readonly apart: boolean;
  /** Steps of training before the volume is segmented; undefined where none are wanted. */
  readonly train: number | undefined;
  readonly lr: number;
  readonly seed: number;
  readonly labels: string | undefined;
  readonly picture: string | undefined;
}

function readSize(text: string): Extents {
  const [depth, height = depth, width = depth, ...more] = text.split("x").map(count);
  if (more.length > 0 || text.split("x").length === 2)
    throw new InvalidArgumentError("expected one extent, or three: 64 or 60x70x80");
  return [depth, height, width];
}

function positive(text: string): number {
  const value = Number(text);
  if (!(Number.isFinite(value) && value > 0)) throw new InvalidArgumentError("expected a number above 0");
  return value;
}

/** @throws CommanderError, once what is wrong, or the help, was written */
export function parseArguments(words: readonly string[]): Arguments {
  return new Command("npm run example:segment --")
    .description(
      "Segments a volume by a network of MeshNet's shape with generated weights, in bounded memory, by tiles; with --train it learns from " +
        "the volume's classes first. The volume is generated: ellipsoids with noise.",
    )
    .addOption(
      new Option("--channels <count>", "of the network's layers: 5 and 21 are published").argParser(count).default(5),
    )
    .option("--size <extents>", "of the volume: 64, or 60x70x80", readSize, [64, 64, 64] as const)
    .option("--mib <count>", "memory that tiles, and steps of training, may take, in MiB", count, 256)
    .option(
      "--apart",
      "the network's three parts one after the other: less is computed twice, more is on the host",
      false,
    )
    .addOption(
      new Option("--train [steps]", "steps of training on the whole volume first; one where no number is given")
        .argParser(count)
        .preset("1"),
    )
    .option("--lr <rate>", "Adam's rate", positive, 1e-2)
    .option("--seed <number>", "of the weights and the volume", count, 1)
    .option("--labels <file.npy>", "for the class of each voxel, uint8, as numpy reads it")
    .option("--picture <file.png>", "for the middle slice: the volume, its classes, and those that the network finds")
    .allowExcessArguments(false)
    .exitOverride()
    .parse([...words], { from: "user" })
    .opts<Arguments>();
}
