/**
 * `npm run example:detect`: finds lines of text in a picture with PP-OCRv4's detector, which is installed when it first runs. Exits
 * with 1 when lines are missed or results differ from onnxruntime-web's, with 2 when it could not run, with 130 when Ctrl-C ended it.
 */
import { createEngine } from "webgpu-conv/node";
import { run } from "./command.js";
import { findNetwork } from "./packages.js";

// Dawn and onnxruntime-web keep the process alive.
process.exit(await run(process.argv.slice(2), { makeEngine: createEngine, findNetwork }));
