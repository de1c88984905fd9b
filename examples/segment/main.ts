/**
 * `npm run example:segment`: segments a volume by a network of MeshNet's shape, in bounded memory, and trains it. Exits with 1 when the
 * loss did not fall, with 2 when it could not run, with 130 when Ctrl-C ended it.
 */
import { createEngine } from "webgpu-conv/node";
import { run } from "./command.js";

process.exitCode = await run(process.argv.slice(2), createEngine);
