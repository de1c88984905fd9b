/** `npm run bench:peers`: installs the peers into this folder where that is needed, and compares. */
import { installPackages } from "../../packages/install.js";
import { parseArguments } from "./commandLine.js";

const chosen = parseArguments(process.argv.slice(2));
installPackages(import.meta.dirname, "the peers");
const { run } = await import("./run.js");
// Dawn keeps the process alive.
process.exit(await run(chosen));
