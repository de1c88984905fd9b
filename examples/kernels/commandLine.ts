/** The report's arguments. */
import { Command, InvalidArgumentError, Option } from "commander";
import { DEVICE_CLASSES, type DeviceClass } from "../../src/planning/devices.js";

export interface Arguments {
  /** A GPU whose compiler is asked; plans alone when absent. */
  readonly model?: string;
  readonly filter: string;
  readonly batch?: number;
  /** A file with capabilities as JSON, for plans alone. */
  readonly capabilities?: string;
  /** Likewise, the class that the device is taken to be of. */
  readonly class?: DeviceClass;
  /** Operations of networks in place of layers. */
  readonly nn?: boolean;
  /** Write docs/kernels.md, or docs/kernels-nn.md, of all models or of those named. */
  readonly docs?: boolean | string;
}

function readBatch(text: string): number {
  if (text !== "1" && text !== "32") throw new InvalidArgumentError("expected 1 or 32");
  return Number(text);
}

export function parseArguments(argv: readonly string[]): Arguments {
  const command = new Command("npm run kernels --")
    .description(
      "Prints what the engine plans for layers of well-known networks; and with a model's name what that GPU's compiler makes of it. " +
        "CONV_GPU_COMPILERS names the folder with the runner as.sh (default: ../shared/gpu-compilers).",
    )
    .option("--model <name>", "a GPU that the runner knows: navi21, navi31, renoir, skl, tgl, dg2, bmg, ...")
    .option("--filter <words>", "only layers and passes whose names have all these words", "")
    .option("--batch <size>", "only batches of 1, or of 32", readBatch)
    .option("--capabilities <file>", "plan for a device that this JSON describes (src/planning/capabilities.ts)")
    .addOption(new Option("--class <name>", "plan for a device of this class").choices(DEVICE_CLASSES))
    .option("--nn", "operations of webgpu-conv/nn in place of layers")
    .option(
      "--docs [models]",
      "write docs/kernels.md, with --nn docs/kernels-nn.md, of all models or of these, with commas between them",
    )
    .allowExcessArguments(false);
  return command.parse([...argv], { from: "user" }).opts<Arguments>();
}
