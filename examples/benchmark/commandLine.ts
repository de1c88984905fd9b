/** The benchmark's arguments. */
import { Command } from "commander";

export interface Arguments {
  readonly quick: boolean;
  readonly deviceCheck: boolean;
  /** Compare the choice made without measuring with the tuned one, instead of with the reference. */
  readonly tune: boolean;
  readonly filter?: string;
  /** Path of the JSON file to write. */
  readonly json?: string;
}

export function parseArguments(argv: readonly string[]): Arguments {
  const command = new Command("npm run bench --")
    .description(
      "Runs the layers of well-known networks forward and backward, checks every result against the float64 " +
        "reference, and compares its speed with what the device can do.",
    )
    .option("--quick", "a few layers, in less than 40 seconds", false)
    .option("--filter <text>", "only layers or passes that contain the text, or match it as a regular expression")
    .option("--json <file>", "also write the results to a file")
    .option("--tune", "tune each layer, and compare the choice made without measuring with the best", false)
    .option("--device-check", "measure the device's ceilings and nothing else", false)
    .allowExcessArguments(false);
  return command.parse([...argv], { from: "user" }).opts<Arguments>();
}

/** Whether a row's name contains the text or matches it as a regular expression, in either case of letters. */
export function makeFilter(text: string | undefined): (name: string) => boolean {
  if (text === undefined) return () => true;
  const wanted = text.toLowerCase();
  const pattern = regularExpression(text);
  return (name) => name.toLowerCase().includes(wanted) || pattern?.test(name) === true;
}

function regularExpression(text: string): RegExp | undefined {
  try {
    return new RegExp(text, "i");
  } catch {
    // Not one: then it is plain text, such as a name with an unmatched parenthesis.
    return undefined;
  }
}
