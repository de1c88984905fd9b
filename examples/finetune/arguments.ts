/** The command line. */
import { Command, InvalidArgumentError } from "commander";
import { count } from "../train/count.js";

export interface Arguments {
  readonly steps: number;
  readonly batch: number;
  readonly patch: number;
  readonly lr: number;
  readonly seed: number;
  readonly every: number;
  readonly photos: string | undefined;
  readonly model: string | undefined;
  readonly out: string;
  /** For a picture of held-out patches; undefined where none is wanted. */
  readonly picture: string | undefined;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(Number.isFinite(value) && value > 0)) throw new InvalidArgumentError("expected a number above 0");
  return value;
}

/** @throws CommanderError, once what is wrong, or the help, was written */
export function parseArguments(words: readonly string[]): Arguments {
  return new Command("npm run example:finetune --")
    .description(
      "Fine-tunes a published network that enlarges pictures four times on photographs, and compares it with bicubic interpolation on " +
        "photographs that it does not learn from: the last quarter by name. Both are installed when it first runs.",
    )
    .option("--steps <count>", "steps of training", count, 200)
    .option("--batch <count>", "patches a step", count, 4)
    .option("--patch <pixels>", "a patch's extent before it is enlarged", count, 24)
    .option("--lr <rate>", "Adam's largest rate, which falls to 0", positive, 3e-4)
    .option("--seed <number>", "of what patches are drawn", count, 1)
    .option("--every <count>", "steps between two checks on held-out patches", count, 40)
    .option("--photos <folder>", "photographs of your own: .jpg and .png files, two at least")
    .option(
      "--model <model.json>",
      "another layers model of TensorFlow.js that enlarges four times, from 0..255 to 0..255",
    )
    .option("--out <file>", "for the weights", "out/finetune/weights.safetensors")
    .option(
      "--picture <file.png>",
      "for held-out patches: by bicubic interpolation, by the network before and after, and as they were",
    )
    .allowExcessArguments(false)
    .exitOverride()
    .parse([...words], { from: "user" })
    .opts<Arguments>();
}
