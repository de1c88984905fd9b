/** The command: reads a picture, runs the bank, reports, and writes what came of it. */
import { join, relative } from "node:path";
import { ConvError, type Engine } from "webgpu-conv";
import { activationMap, RULE_IN_WORDS } from "./activationMap.js";
import { parseArguments, USAGE, UsageError } from "./arguments.js";
import { contactSheet } from "./contactSheet.js";
import { EXIT, Interrupted, untilInterrupted } from "./endings.js";
import { FILTERS } from "./filterBank.js";
import { progressBar } from "./progressBar.js";
import {
  type Bitmap,
  makeFolder,
  type Picture,
  PictureError,
  readPicture,
  shrink,
  toBitmap,
  writePicture,
} from "./pictureFile.js";
import { type BankResult, runBank } from "./runBank.js";

const OWN_PICTURE = join(import.meta.dirname, "picture.png");
const BYTES_PER_VALUE = 4;

/** Runs the command line `words` and gives the exit status; what the user can mend is told, not thrown. */
export async function run(words: readonly string[], makeEngine: () => Promise<Engine>): Promise<number> {
  try {
    return await filterPicture(words, makeEngine);
  } catch (error) {
    if (error instanceof Interrupted) {
      console.error("\ninterrupted: what was not yet filtered is called off");
      return EXIT.interrupted;
    }
    if (!(error instanceof UsageError || error instanceof PictureError || error instanceof ConvError)) throw error;
    console.error(`${error.name}: ${error.message}`);
    if (error instanceof UsageError) console.error(USAGE);
    return EXIT.couldNotRun;
  }
}

async function filterPicture(words: readonly string[], makeEngine: () => Promise<Engine>): Promise<number> {
  if (words.includes("--help")) {
    console.log(USAGE);
    return EXIT.fine;
  }
  const { photo, out } = parseArguments(words);
  const path = photo ?? relative(process.cwd(), OWN_PICTURE);
  const read = await readPicture(path);
  console.log(`picture  ${path}, ${String(read.width)} x ${String(read.height)}`);
  await makeFolder(out);

  using engine = await makeEngine();
  const { description, software } = engine.adapter;
  console.log(`adapter  ${description}`);
  if (software) console.log("         (a software device: right results, but no measure of a GPU's speed)");
  const picture = shrinkToFit(read, engine.adapter.maxTensorBytes);
  const result = await untilInterrupted((signal) =>
    runBank(engine, picture, FILTERS, {
      signal,
      onFiltered: progressBar("filtering"),
      onVerified: progressBar("verifying"),
    }),
  );
  report(picture, result);
  await writeMaps(picture, result, out);
  return result.verdict.pass ? EXIT.fine : EXIT.wrongResult;
}

/** @param mostBytes what the device can hold of all responses together */
function shrinkToFit(picture: Picture, mostBytes: number): Picture {
  const bytes = BYTES_PER_VALUE * FILTERS.length * picture.width * picture.height;
  const factor = Math.ceil(Math.sqrt(bytes / mostBytes));
  if (factor === 1) return picture;
  const small = shrink(picture, factor);
  const size = `${String(small.width)} x ${String(small.height)}`;
  console.log(`         made ${String(factor)} times smaller, ${size}, so that the device can hold all responses`);
  return small;
}

function report({ width, height }: Picture, { solver, timing, runs, verdict, elements }: BankResult): void {
  const count = String(FILTERS.length);
  const size = `${String(height)}, ${String(width)}`;
  console.log(`layer    x [1, 3, ${size}] * w [${count}, 3, 5, 5] + bias -> y [1, ${count}, ${size}], padding "same"`);
  const how = runs > 1 ? `on the device (${timing.clock}, median)` : "(wall-clock, with compiling and reading)";
  console.log(`time     ${timing.milliseconds.toFixed(3)} ms ${how}, solver ${solver}`);
  const { maxError, worstError, bound, pass } = verdict;
  console.log(
    `verified ${elements.toLocaleString("en")} values against float64: largest error ${maxError.toExponential(2)}; ` +
      `closest to its bound ${worstError.toExponential(2)} of ${bound.toExponential(2)}: ${pass ? "pass" : "FAIL"}`,
  );
}

async function writeMaps(picture: Picture, { responses }: BankResult, out: string): Promise<void> {
  const write = async (name: string, bitmap: Bitmap, note: string): Promise<void> => {
    const file = join(out, `${name}.png`);
    await writePicture(file, bitmap);
    console.log(`wrote    ${file} (${note})`);
  };
  const entries: { label: string; bitmap: Bitmap }[] = [{ label: "source", bitmap: toBitmap(picture) }];
  for (const [i, { name, display }] of FILTERS.entries()) {
    const bitmap = activationMap(responses[i], picture.width, picture.height, display);
    await write(name, bitmap, RULE_IN_WORDS[display]);
    entries.push({ label: name, bitmap });
  }
  await write("sheet", contactSheet(entries), "the source and all maps");
}
