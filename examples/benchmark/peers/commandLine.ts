/** The benchmark's arguments. */
import { Command, InvalidArgumentError, Option } from "commander";

export const DEVICES = ["swiftshader", "lavapipe", "default"] as const;
export type Device = (typeof DEVICES)[number];

export const PARTS = ["layers", "training", "networks"] as const;
export type Part = (typeof PARTS)[number];

export interface Arguments {
  readonly device: Device;
  readonly filter?: string;
  /** Undefined: all. */
  readonly only?: Part;
  /** Path of the JSON file to write. */
  readonly json?: string;
  readonly rounds: number;
  readonly tune: boolean;
  readonly writeDocs: boolean;
}

const DEFAULT_ROUNDS = 7;

export function parseArguments(argv: readonly string[]): Arguments {
  const command = new Command("npm run bench:peers --")
    .description(
      "Compares this engine with TensorFlow.js, ONNX Runtime Web and jax-js: same device, same layers, same passes, and " +
        "training steps of the same networks, published networks from their files, every result checked against the " +
        "float64 reference.",
    )
    .addOption(
      new Option(
        "--device <name>",
        "swiftshader or default: in a headless Chromium, on software or on the adapter that it prefers; lavapipe: in Node",
      )
        .choices(DEVICES)
        .default("swiftshader"),
    )
    .option(
      "--filter <text>",
      "only layers, passes or networks that contain the text, or match it as a regular expression",
    )
    .addOption(
      new Option("--only <part>", "one part alone: passes of layers, training, or published networks").choices(PARTS),
    )
    .option("--json <file>", "also write the results to a file")
    .option("--rounds <number>", "timed rounds, of which the median counts", readRounds, DEFAULT_ROUNDS)
    .option("--tune", "let this engine choose its kernels by measuring them", false)
    .option("--write-docs", "write the results, a chart and docs/benchmarks.md", false)
    .allowExcessArguments(false);
  const chosen = command.parse([...argv], { from: "user" }).opts<Arguments>();
  if (chosen.writeDocs && chosen.filter !== undefined) {
    command.error(
      "error: --write-docs publishes whole runs; --filter leaves layers out (--only does not: the other parts stay as they are)",
    );
  }
  return chosen;
}

function readRounds(text: string): number {
  const rounds = Number(text);
  if (!Number.isInteger(rounds) || rounds < 1) throw new InvalidArgumentError("expected an integer of at least 1");
  return rounds;
}
