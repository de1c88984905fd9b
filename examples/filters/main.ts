/**
 * `npm run example:filters`: filters a picture with a bank of classical filters, as one convolution on the GPU.
 * Exits with 1 when the result is not what the reference gives, with 2 when it could not run.
 */
import { createEngine } from "webgpu-conv/node";
import { run } from "./command.js";

process.exitCode = await run(process.argv.slice(2), createEngine);
