/**
 * `npm run example:tiled`: convolutions over a picture or a volume that is larger than the device, by tiles. Exits with 1 where a result
 * is not the reference's, with 2 where it could not run, with 130 where Ctrl-C ended it.
 */
import { ConvError } from "webgpu-conv";
import { createEngine } from "webgpu-conv/node";
import { parseArguments } from "./arguments.js";
import { generated } from "./generated.js";
import { PictureError } from "./pgm.js";
import { describe, runJob } from "./run.js";
import { sharpen } from "./sharpen.js";

const [FAILED, COULD_NOT_RUN, CANCELLED] = [1, 2, 130];
const MIB = 2 ** 20;

const { files, size, volume, mib } = parseArguments(process.argv.slice(2));
const cancel = new AbortController();
process.once("SIGINT", () => cancel.abort());
try {
  const job = files ? await sharpen(files) : generated(size ?? (volume ? 128 : 4000), volume);
  using engine = await createEngine();
  console.log(`adapter  ${engine.adapter.description}`);
  console.log(`running  ${job.what}, in ${String(mib)} MiB`);
  console.log(describe(await runJob(engine, job, mib * MIB, cancel.signal)));
  console.log(`done     ${await job.finish()}`);
} catch (error) {
  if (!(error instanceof Error)) throw error;
  console.error(cancel.signal.aborted ? "cancelled" : `${error.name}: ${error.message}`);
  // A file's error has a code.
  const couldNotRun = error instanceof ConvError || error instanceof PictureError || "code" in error;
  process.exitCode = cancel.signal.aborted ? CANCELLED : couldNotRun ? COULD_NOT_RUN : FAILED;
}
