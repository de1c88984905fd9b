/**
 * `npm run example:finetune`: fine-tunes a published network that enlarges pictures on photographs, in Node, and compares it with bicubic
 * interpolation. Exits with 1 when held-out patches did not come nearer or the weights' file gives other bits, with 2 when it could not run.
 */
import { createEngine } from "webgpu-conv/node";
import { run } from "./command.js";

process.exitCode = await run(process.argv.slice(2), createEngine);
