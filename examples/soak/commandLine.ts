/** The soak's arguments. */
import { Command, InvalidArgumentError } from "commander";

export interface Arguments {
  readonly minutes: number;
  readonly seed: number;
  /** A file for the summary. */
  readonly docs?: string;
}

function readPositive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("expected a number above 0");
  return value;
}

export function parseArguments(argv: readonly string[]): Arguments {
  const command = new Command("npm run soak --")
    .description(
      "Runs operations of 300 random layers in random order on an engine that recovers, loses its devices and its memory meanwhile, " +
        "and compares every value that is read with the reference. Ends with an error at the first that is wrong, or that is lost " +
        "though it had a copy.",
    )
    .option("--minutes <count>", "how long", readPositive, 60)
    .option(
      "--seed <number>",
      "where the random numbers begin; the time of day when absent",
      readPositive,
      Date.now() % 1_000_000,
    )
    .option("--docs <file>", "write the summary there, too")
    .allowExcessArguments(false);
  return command.parse([...argv], { from: "user" }).opts<Arguments>();
}
