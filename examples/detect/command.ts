/** The command: reads or draws a picture, finds its text, reports, and writes the picture with boxes. */
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { ConvError, type Engine } from "webgpu-conv";
import { UsageError } from "../filters/arguments.js";
import { EXIT, Interrupted, untilInterrupted } from "../filters/endings.js";
import { makeFolder, PictureError, readPicture, toBitmap, writePicture } from "../filters/pictureFile.js";
import { progressBar } from "../filters/progressBar.js";
import { parseArguments, USAGE } from "./arguments.js";
import { checkLines } from "./checkLines.js";
import { detect } from "./detector.js";
import { drawBoxes } from "./drawBoxes.js";
import { differenceOf, MOST_RELATIVE } from "./difference.js";
import { findBoxes } from "./findBoxes.js";
import { prepareInput } from "./input.js";
import { runOnnxRuntime } from "./onnxRuntime.js";
import { InstallError } from "./packages.js";
import { boxTable, differenceWords, linesWords, timesWords } from "./report.js";
import { drawTextPicture, type TextPicture } from "./textPicture.js";

/** What the command needs of its surroundings. */
export interface Surroundings {
  readonly makeEngine: () => Promise<Engine>;
  /** The path of the network's file; installs what is missing, or throws an InstallError. */
  readonly findNetwork: () => string;
}

/** What the user can mend, or the device does not allow. */
const KNOWN = [UsageError, PictureError, InstallError, ConvError];

/** Runs the command line `words` and gives the exit status; what the user can mend is told, not thrown. */
export async function run(words: readonly string[], surroundings: Surroundings): Promise<number> {
  try {
    return await detectText(words, surroundings);
  } catch (error) {
    if (error instanceof Interrupted) {
      console.error("\ninterrupted: what was not yet computed is called off");
      return EXIT.interrupted;
    }
    if (!(error instanceof Error && KNOWN.some((kind) => error instanceof kind))) throw error;
    console.error(`${error.name}: ${error.message}`);
    if (error instanceof UsageError) console.error(USAGE);
    return EXIT.couldNotRun;
  }
}

async function detectText(words: readonly string[], { makeEngine, findNetwork }: Surroundings): Promise<number> {
  if (words.includes("--help")) {
    console.log(USAGE);
    return EXIT.fine;
  }
  const { picture: path, out, compares } = parseArguments(words);
  const { picture, lines }: TextPicture =
    path === undefined ? drawTextPicture() : { picture: await readPicture(path), lines: [] };
  await makeFolder(dirname(out));
  const input = prepareInput(picture);
  const size = `${String(picture.width)} x ${String(picture.height)}`;
  console.log(`picture  ${path ?? "drawn, with lines of text"}, ${size}`);
  const file = new Uint8Array(await readFile(findNetwork()));

  using engine = await makeEngine();
  const { description, software } = engine.adapter;
  console.log(`adapter  ${description}`);
  if (software) console.log("         (a software device: right results, but no measure of a GPU's speed)");
  console.log(`network  [1, 3, ${String(input.height)}, ${String(input.width)}], ${megabytes(file)} MB of ONNX`);
  const detection = await untilInterrupted((signal) =>
    detect(engine, file, input, { signal, onProgress: progressBar("detecting") }),
  );
  console.log(timesWords(detection));

  const boxes = findBoxes(detection.map, picture.width, picture.height);
  console.log(`\n${boxTable(boxes)}\n`);
  await writePicture(out, drawBoxes(toBitmap(picture), boxes));
  console.log(`wrote    ${out}`);
  let isRight = true;
  if (path === undefined) {
    const check = checkLines(lines, boxes);
    console.log(linesWords(check));
    isRight = check.pass;
  }
  if (compares) {
    const runtime = await runOnnxRuntime(file, input);
    const difference = differenceOf(detection.map.values, runtime.values);
    console.log(differenceWords(difference, runtime));
    isRight &&= difference.relative <= MOST_RELATIVE;
  }
  return isRight ? EXIT.fine : EXIT.wrongResult;
}

const megabytes = ({ byteLength }: Uint8Array): string => (byteLength / 1e6).toFixed(1);
